//! Where the machine is, checked before `ssh` sees it.

/// An `ssh://` address that holds nothing `ssh` or a shell could take for something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    url: String,
    args: Vec<String>,
}

impl Address {
    /// Takes `ssh://[user@]host[:port]`; the host may be an alias of `~/.ssh/config`.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let right = "write ssh://[user@]host[:port]";
        let rest = url.strip_prefix("ssh://").ok_or_else(|| format!("url: no ssh:// in front; {right}"))?;
        let rest = rest.trim_end_matches('/');
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        if let Some(user) = user {
            if user.contains(':') {
                return Err("url: a password does not belong there; use a key or an agent".into());
            }
            plain(user, "user", "._-+")?;
        }
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => {
                plain(host, "address", ":.%")?;
                (None, port.strip_prefix(':'))
            }
            None => match place.split_once(':') {
                Some((host, port)) => (Some(host), Some(port)),
                None => (Some(place), None),
            },
        };
        if let Some(host) = host {
            plain(host, "host", "._-")?;
        }
        if port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0)) {
            let args = match (host, place.strip_prefix('[').and_then(|rest| rest.split_once(']'))) {
                // Not every `ssh` takes brackets within an `ssh://`.
                (None, Some((host, _))) => {
                    let user = user.map_or_else(String::new, |user| format!("{user}@"));
                    let port = port.map(|port| ["-p".to_owned(), port.to_owned()]);
                    port.into_iter().flatten().chain(["--".into(), format!("{user}{host}")]).collect()
                }
                _ => vec!["--".into(), format!("ssh://{rest}")],
            };
            Ok(Self { url: format!("ssh://{rest}"), args })
        } else {
            Err(format!("url: the port is no number from 1 to 65535; {right}"))
        }
    }

    /// As it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.url
    }

    /// The last of the options of `ssh`, and the destination.
    pub(super) fn args(&self) -> &[String] {
        &self.args
    }
}

/// Letters, digits and `also`; never a leading dash, which `ssh` would read as an option.
fn plain(text: &str, what: &str, also: &str) -> Result<(), String> {
    if text.is_empty() || text.starts_with('-') {
        return Err(format!("url: the {what} must not be empty or begin with a dash"));
    }
    match text.chars().find(|c| !c.is_ascii_alphanumeric() && !also.contains(*c)) {
        Some(odd) => Err(format!("url: {odd:?} has no place in the {what}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_pass() {
        for fine in
            ["ssh://web1", "ssh://deploy@web1.example.org:2222", "ssh://[fe80::1%eth0]:22", "ssh://u@[::1]"]
        {
            assert_eq!(Address::parse(fine).map(|it| it.url), Ok(fine.to_owned()));
        }
        let args = |url| Address::parse(url).expect("fine").args;
        assert_eq!(args("ssh://u@web1:22"), ["--", "ssh://u@web1:22"]);
        assert_eq!(args("ssh://u@[fe80::1%eth0]:22"), ["-p", "22", "--", "u@fe80::1%eth0"]);
        assert_eq!(args("ssh://[::1]"), ["--", "::1"]);
        for wrong in [
            "web1",
            "ssh://",
            "ssh://-oProxyCommand=id",
            "ssh://a@-b",
            "ssh://a b",
            "ssh://a;id",
            "ssh://a:0",
            "ssh://a:70000",
            "ssh://u:secret@host",
            "ssh://$(id)",
            "ssh://a/../b",
            "ssh://[::1",
            "ssh://%h",
        ] {
            let error = Address::parse(wrong).expect_err(wrong);
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
