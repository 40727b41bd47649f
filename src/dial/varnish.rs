//! A Varnish on this machine, by its own two programs: `varnishstat` for its counters, `varnishadm` for its
//! management. No shell stands between; what is answered is bounded.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::config::{Secret, TargetSpec};
use crate::model::{PollError, PollErrorKind};

/// Longest answer taken: a Varnish with a thousand backends stays below it.
const MOST: u64 = 16 << 20;
/// How much of a complaint is kept.
const COMPLAINT: u64 = 4096;

/// How one Varnish is reached.
#[derive(Clone, Debug)]
pub struct VarnishDial {
    instance: Option<String>,
    /// `host:port` of its management, and the file with its secret; otherwise found through the instance.
    management: Option<(String, Option<PathBuf>)>,
}

impl VarnishDial {
    /// The Varnish that a target names.
    ///
    /// # Errors
    /// The url is no management address, or the name of the instance could be taken for an option.
    pub fn new(spec: &TargetSpec) -> Result<Self, String> {
        let instance = spec.instance.clone();
        if instance.as_ref().is_some_and(|name| name.is_empty() || name.starts_with('-')) {
            return Err("instance must be what `varnishd -n` was given: a name or a folder".into());
        }
        let url = spec.url.as_ref().map(Secret::expose);
        let management = match url.map(|url| url.strip_prefix("tcp://").unwrap_or(url).trim_end_matches('/'))
        {
            Some(place) if place.starts_with('-') || !place.contains(':') => {
                return Err("url must be tcp://host:port, the address that `varnishd -T` was given".into());
            }
            Some(place) => Some((place.to_owned(), spec.secret_file.clone())),
            None => None,
        };
        Ok(Self { instance, management })
    }

    /// What it is called in words.
    #[must_use]
    pub fn place(&self) -> &str {
        self.instance.as_deref().unwrap_or("varnishd")
    }

    /// Its counters, as JSON.
    ///
    /// # Errors
    /// It does not run, or this user may not read them.
    pub async fn counters(&self) -> Result<String, PollError> {
        let mut command = Command::new("varnishstat");
        command.args(self.instance.iter().flat_map(|name| ["-n", name.as_str()]));
        run("varnishstat", command.args(["-j", "-t", "1"])).await
    }

    /// What its management answers. A source asks only what changes nothing.
    ///
    /// # Errors
    /// It refuses, or this user may not read its secret.
    pub async fn ask(&self, words: &[&str]) -> Result<String, PollError> {
        let mut command = Command::new("varnishadm");
        match &self.management {
            Some((place, secret)) => {
                command.args(["-T", place]);
                if let Some(secret) = secret {
                    command.arg("-S").arg(secret);
                }
            }
            None => {
                command.args(self.instance.iter().flat_map(|name| ["-n", name.as_str()]));
            }
        }
        run("varnishadm", command.args(["-t", "2"]).args(words)).await
    }
}

async fn run(program: &str, command: &mut Command) -> Result<String, PollError> {
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own, so that Ctrl-C at our terminal is ours alone.
    let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(|error| {
        let says = match error.kind() {
            std::io::ErrorKind::NotFound => {
                format!("there is no {program} here: it comes with Varnish, and is run on its machine")
            }
            _ => format!("{program} could not be run: {error}"),
        };
        PollError::new(PollErrorKind::Config, &says)
    })?;
    let (mut answer, mut complaint) = (Vec::new(), Vec::new());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let read = async {
        if let Some(out) = out {
            out.take(MOST + 1).read_to_end(&mut answer).await?;
        }
        Ok::<_, std::io::Error>(())
    };
    let complain = async {
        if let Some(err) = err {
            err.take(COMPLAINT).read_to_end(&mut complaint).await?;
        }
        Ok::<_, std::io::Error>(())
    };
    let broken = |error: std::io::Error| {
        PollError::new(PollErrorKind::Garbage, &format!("{program} broke off: {error}"))
    };
    tokio::try_join!(read, complain).map_err(broken)?;
    if answer.len() as u64 > MOST {
        return Err(PollError::new(PollErrorKind::Garbage, &format!("{program} prints more than 16 MB")));
    }
    let status = child.wait().await.map_err(broken)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    if status.success() {
        Ok(answer)
    } else {
        Err(refusal(program, &answer, &String::from_utf8_lossy(&complaint)))
    }
}

/// What a program that failed means by what it printed.
fn refusal(program: &str, answer: &str, complaint: &str) -> PollError {
    let told = format!("{complaint}\n{answer}");
    let low = told.to_lowercase();
    let has = |part: &str| low.contains(part);
    let line = told.lines().map(|line| line.trim().trim_start_matches('.')).find(|line| {
        !line.is_empty() && !line.chars().all(|c| c == '.') && !line.starts_with("Command failed")
    });
    let line = line.unwrap_or("it failed without a word").to_lowercase();
    let (kind, more) = if has("permission denied") {
        (PollErrorKind::Rights, "; join the group varnish")
    } else if has("cannot open") || has("rejected 500") || has("authentication") {
        (PollErrorKind::Login, "; set secret_file to what `varnishd -S` was given")
    } else if has("could not get hold of varnishd") {
        let why = "; it may also run under another name (instance), or keep its memory from this user (group varnish)";
        (PollErrorKind::Unreachable, why)
    } else if has("connection failed") || has("refused") {
        (PollErrorKind::Unreachable, "")
    } else {
        (PollErrorKind::Garbage, "")
    };
    PollError::new(kind, &format!("{program}: {line}{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_its_programs_complain_of_is_told_with_the_mend() {
        let told = |complaint: &str| refusal("varnishadm", "", complaint);
        let gone = told(".....\nCould not get hold of varnishd, is it running?\n");
        assert_eq!(gone.kind, PollErrorKind::Unreachable);
        assert!(
            gone.says.as_str().contains("is it running?") && gone.says.as_str().contains("instance"),
            "{gone}"
        );
        assert_eq!(told("Rejected 500\n").kind, PollErrorKind::Login);
        assert_eq!(
            told("Cannot open \"/etc/varnish/secret\": Permission denied\n").kind,
            PollErrorKind::Rights
        );
        let unknown = told("Command failed with error code 106\nNo Backends matches\n");
        assert_eq!(unknown.says.as_str(), "varnishadm: no backends matches");
    }
}
