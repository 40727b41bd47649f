//! Why `ssh` gave up, from what it wrote to its standard error. Pure.

use crate::model::{PollError, PollErrorKind};

/// What its last words mean; `place` is the machine as the config names it.
pub(super) fn refusal(place: &str, words: &str) -> PollError {
    let line = words.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    let has = |text: &str| words.contains(text);
    let (kind, says) = if has("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        (PollErrorKind::Login, "its host key is not the known one; make sure who answers, then ssh-keygen -R")
    } else if has("Host key verification failed") || has("No matching host key") {
        (PollErrorKind::Login, "its host key is not known yet; connect once by hand with ssh")
    } else if has("Permission denied") {
        (PollErrorKind::Login, "no key is accepted there; check ssh -o BatchMode=yes by hand")
    } else if has("Too many authentication failures") {
        (PollErrorKind::Login, "the agent offered too many keys; set IdentitiesOnly for it in ~/.ssh/config")
    } else if has("Could not resolve hostname") {
        (PollErrorKind::Unreachable, "nobody knows that name")
    } else if has("Connection refused") {
        (PollErrorKind::Unreachable, "no sshd listens there")
    } else if has("timed out") {
        (PollErrorKind::Timeout, "nothing came back in time")
    } else if has("No route to host") || has("Network is unreachable") {
        (PollErrorKind::Unreachable, "no route to it")
    } else if has("kex_exchange_identification") || has("Exceeded MaxStartups") {
        (PollErrorKind::Exhausted, "sshd hung up before the login: too many at once (MaxStartups)?")
    } else if has("Bad configuration option") || has("Can't open user config file") {
        (PollErrorKind::Config, "")
    } else {
        (PollErrorKind::Garbage, "")
    };
    let says = match (says, line) {
        ("", "") => "the connection was closed".to_owned(),
        ("", line) => line.chars().take(120).collect(),
        (says, _) => says.to_owned(),
    };
    PollError::new(kind, &format!("{place}: {says}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_fail_has_its_words() {
        for (words, kind) in [
            ("deploy@web1: Permission denied (publickey).\r\n", PollErrorKind::Login),
            (
                "No ED25519 host key is known for x.\r\nHost key verification failed.\r\n",
                PollErrorKind::Login,
            ),
            ("ssh: connect to host web1 port 22: Connection refused\r\n", PollErrorKind::Unreachable),
            (
                "ssh: Could not resolve hostname nope: Name or service not known\r\n",
                PollErrorKind::Unreachable,
            ),
            ("kex_exchange_identification: Connection closed by remote host\r\n", PollErrorKind::Exhausted),
            ("", PollErrorKind::Garbage),
        ] {
            assert_eq!(refusal("web1", words).kind, kind, "{words}");
        }
        let odd = refusal("web1", "sh: exec: not found\n");
        assert_eq!(odd.says.as_str(), "web1: sh: exec: not found");
    }
}
