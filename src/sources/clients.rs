//! Who is connected, by CLIENT LIST: some libraries name the connections of their workers.

use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::time::Instant;

use super::resp;

/// How often it is asked: the answer is as long as there are clients.
const EVERY: Duration = Duration::from_secs(5);
/// An answer this long is asked for a twelfth as often.
const LONG: usize = 1 << 20;

/// One connection.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Client {
    /// What it calls itself; empty where it does not.
    pub(super) name: String,
    /// The address it comes from, without its port.
    pub(super) host: String,
    /// Its last command, in small letters.
    pub(super) command: String,
    /// The database it works on.
    pub(super) database: Option<i64>,
    /// It listens for messages whose channel matches a pattern.
    pub(super) listens: bool,
}

/// The connections as last told.
#[derive(Default)]
pub(super) struct Clients {
    list: Option<Vec<Client>>,
    asked: Option<Instant>,
    long: bool,
    refused: bool,
    fresh: bool,
}

impl Clients {
    /// Those that were there at the last look; `None` where looking is refused or has not been done.
    pub(super) fn list(&self) -> Option<&[Client]> {
        self.list.as_deref()
    }

    /// Whether they were looked at in this very poll.
    pub(super) const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Asks, when it is time to.
    pub(super) fn ask(&mut self, script: &mut Pipeline) -> bool {
        self.fresh = false;
        let every = if self.long { EVERY * 12 } else { EVERY };
        if self.refused || self.asked.is_some_and(|at| at.elapsed() < every) {
            return false;
        }
        self.asked = Some(Instant::now());
        script.cmd("CLIENT").arg("LIST");
        true
    }

    /// Takes the answer in; a refusal is remembered, for the question is not worth an error a poll.
    pub(super) fn take(&mut self, answer: &Value) {
        let text = resp::text(answer).filter(|_| resp::refusal(answer).is_none());
        self.refused = text.is_none();
        self.long = text.as_ref().is_some_and(|text| text.len() > LONG);
        self.fresh = text.is_some();
        self.list = text.map(|text| text.lines().map(client).collect());
    }
}

fn client(line: &str) -> Client {
    let mut client = Client::default();
    for (key, value) in line.split(' ').filter_map(|field| field.split_once('=')) {
        match key {
            "name" => value.clone_into(&mut client.name),
            "addr" => value.rsplit_once(':').map_or(value, |(host, _)| host).clone_into(&mut client.host),
            "cmd" => client.command = value.to_ascii_lowercase(),
            "db" => client.database = value.parse().ok(),
            "psub" => client.listens = value != "0",
            _ => {}
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_who_where_from_and_what() {
        let line = "id=7 addr=10.0.0.3:5512 laddr=10.0.0.1:6379 fd=8 name=bull:bWFpbA== age=3 db=2 sub=0 psub=0 cmd=bzpopmin user=default";
        let expected = Client {
            name: "bull:bWFpbA==".into(),
            host: "10.0.0.3".into(),
            command: "bzpopmin".into(),
            database: Some(2),
            listens: false,
        };
        assert_eq!(client(line), expected);
        assert_eq!(client("addr=[::1]:55 name= cmd=NULL").host, "[::1]");
        assert!(client("addr=[::1]:55 name= db=0 psub=3 cmd=psubscribe").listens);
    }
}
