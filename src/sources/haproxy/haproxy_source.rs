//! Asks one HAProxy.

use super::doctor::doctor;
use super::parse;
use super::processes;
use super::ring::Ring;
use super::sockets;
use crate::config::TargetSpec;
use crate::dial::{HAPROXY_MOST, HaproxyDoor, ask_haproxy_master};
use crate::model::{Missing, PollError, PollErrorKind, ProxySample, Reading, Sample, TargetId};
use crate::sources::one_answer::one_answer;
use crate::sources::web_page::{Hints, WebPage};
use crate::sources::{BoxFuture, Kind, Source};

/// HAProxy.
pub const KIND: Kind = Kind { name: "haproxy", says: "HAProxy", build, doctor };

fn build(spec: &TargetSpec) -> Result<Box<dyn Source>, String> {
    Ok(Box::new(HaproxySource::new(spec)?))
}

/// One HAProxy, by one of its doors.
pub struct HaproxySource {
    target: TargetId,
    way: Way,
    ring: Option<Ring>,
    /// Path of its master's socket.
    master: Option<String>,
    /// Paths of servers that listen in the file system, by `backend/server`.
    sockets: Vec<(String, String)>,
    /// Requests ever, at the last poll.
    requests: Option<u64>,
}

/// The statistics page as CSV; `;csv` is added where it is missing.
fn page(text: &str) -> Result<WebPage, String> {
    let mut url = reqwest::Url::parse(text).map_err(|error| format!("url: {error}"))?;
    if !url.path().contains(";csv") {
        url.set_path(&format!("{};csv", url.path()));
    }
    let most_mb = HAPROXY_MOST >> 20;
    WebPage::new(url, Hints { login: " (`stats auth`)", not_found: "is this the `stats uri`?", most_mb })
}

/// How its statistics are reached.
pub(super) enum Way {
    Page(WebPage),
    Door(HaproxyDoor),
}

impl Way {
    /// Chosen by how the url begins.
    pub(super) fn new(spec: &TargetSpec) -> Result<Self, String> {
        let Some(url) = &spec.url else {
            return Err("haproxy needs a url: \"unix:/run/haproxy/admin.sock\", \"tcp://host:port\" or \
                        \"http://host:port/stats;csv\""
                .into());
        };
        let text = url.expose();
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.starts_with('/') {
                Ok(Self::Door(HaproxyDoor::Unix(path.to_owned())))
            } else {
                Err(format!("url: the path of the socket must begin with a slash, not {path:?}"))
            };
        }
        if let Some(address) = text.strip_prefix("tcp://") {
            let address = address.trim_end_matches('/');
            let legal = address
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
            return if legal {
                Ok(Self::Door(HaproxyDoor::Tcp(address.to_owned())))
            } else {
                Err(format!("url: {} has no port; write tcp://host:port", url.without_credentials()))
            };
        }
        if text.starts_with("http://") || text.starts_with("https://") {
            return page(text).map(Self::Page);
        }
        Err(format!(
            "url: {} begins with none of unix:, tcp://, http://, https://",
            url.without_credentials()
        ))
    }

    pub(super) async fn sample(&self) -> Result<ProxySample, PollError> {
        let answer = match self {
            Self::Page(page) => page.get().await?,
            Self::Door(door) => door.ask("show cli level;show info;show stat").await?,
        };
        parse::sample(&answer).map_err(|what| {
            let kind = if answer.trim_start().starts_with("Permission denied") {
                PollErrorKind::Rights
            } else {
                PollErrorKind::Garbage
            };
            PollError::new(kind, &what)
        })
    }
}

impl HaproxySource {
    /// A source for this target; does not connect yet.
    ///
    /// # Errors
    /// When the url is missing or of no known form; a sentence without credentials.
    pub fn new(spec: &TargetSpec) -> Result<Self, String> {
        let way = Way::new(spec)?;
        let ring = match (&spec.ring, &way) {
            (None, _) => None,
            (Some(name), Way::Door(door)) => Some(Ring::new(name, door.clone())),
            (Some(_), Way::Page(_)) => {
                let why =
                    "ring: only the runtime socket shows one; give the url of the socket (unix:… or tcp://…)";
                return Err(why.into());
            }
        };
        let master = spec.master_socket.as_ref().and_then(|url| url.strip_prefix("unix:")).map(str::to_owned);
        Ok(Self { target: spec.id.clone(), way, ring, master, sockets: spec.sockets.clone(), requests: None })
    }

    /// Adds what its master tells of processes from before a reload.
    async fn ask_master(&self, sample: &mut ProxySample) {
        let Some(path) = &self.master else { return };
        let told = ask_haproxy_master(path, "show proc").await.map(|text| processes::old(&text));
        let why = match told {
            Ok(Some(old)) => {
                if let Some(process) = &mut sample.process {
                    process.old = Some(old.count);
                }
                old.told()
            }
            Ok(None) => Some(format!("{path} tells of no processes; is it the master's socket (`-S`)?")),
            Err(error) => Some(error.to_string()),
        };
        sample.missing.extend(why.map(|why| Missing::new("old processes", &why)));
    }

    async fn sample(&mut self) -> Result<ProxySample, PollError> {
        let mut sample = self.way.sample().await?;
        self.ask_master(&mut sample).await;
        sockets::place(&mut sample, &self.sockets);
        let requests: u64 = sample.backends.iter().map(|it| it.requests).fold(0, u64::saturating_add);
        let before = self.requests.replace(requests);
        let Some(ring) = &mut self.ring else { return Ok(sample) };
        let lost = ring.follow().await;
        for backend in &mut sample.backends {
            backend.logged = ring.of(backend.name.as_str());
        }
        let more = before.and_then(|before| requests.checked_sub(before));
        ring.asked(more.unwrap_or(0));
        let came = ring.came();
        let silent = || {
            let asked = more.is_some_and(|it| it >= SILENT);
            let why = "no line comes although requests do: has the frontend, or `defaults`, a line \
                       `log ring@… local0 info`?";
            (asked && came.lines == 0).then(|| why.to_owned())
        };
        let foreign = || {
            (came.foreign > came.lines / 2).then(|| {
                "most lines are of another format: set `option httplog` (or `option tcplog`)".to_owned()
            })
        };
        let crowded =
            || (came.left_out > 0).then(|| format!("{} lines over the most backends", came.left_out));
        let lacking = || {
            let percent = came.lacking()? * 100.0;
            Some(format!(
                "lines of {percent:.0} % of the requests came: the others are lost (a larger `size` of the ring \
                 helps) or their frontend does not log to it"
            ))
        };
        if let Some(why) = lost.or_else(silent).or_else(foreign).or_else(crowded).or_else(lacking) {
            sample.missing.push(Missing::new("single requests", &why));
        }
        Ok(sample)
    }
}

/// Requests between two polls from which a ring without lines is odd: answers to come are not logged yet.
const SILENT: u64 = 20;

impl Source for HaproxySource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        one_answer(self.target.clone(), self.sample(), Sample::Proxy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TargetSpec;

    #[test]
    fn a_bad_url_is_refused_without_its_password() {
        let build = |url: Option<&str>| {
            let spec = TargetSpec::new(TargetId::parse("edge").expect("legal"), "haproxy");
            HaproxySource::new(&url.map_or(spec.clone(), |url| spec.with_url(url))).err()
        };
        for good in ["unix:/run/x.sock", "tcp://10.0.0.2:9999", "http://u:p@h:8404/;csv", "https://h/stats"] {
            assert_eq!(build(Some(good)), None, "{good}");
        }
        for bad in [
            None,
            Some("unix:x.sock"),
            Some("tcp://10.0.0.2"),
            Some("ftp://u:s3cret@h/"),
            Some("http://u:s3cret@"),
        ] {
            let error = build(bad).expect("refused");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
