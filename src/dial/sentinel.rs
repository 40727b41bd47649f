//! The Sentinels of a Redis: asked all at once where the master is. Of several answers the one of the
//! latest failover counts: a Sentinel that was cut off still names the old master.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, Value};
use tokio::time::Instant;

use super::redis_value;
use crate::model::{Missing, PollError, PollErrorKind, SafeText, SentinelSample};

/// How long the others may take once one has answered.
const GRACE: Duration = Duration::from_millis(200);

/// Those that are asked, each with a connection that is kept.
pub(super) struct Sentinels {
    each: Vec<Sentinel>,
}

struct Sentinel {
    client: Client,
    endpoint: String,
    kept: Option<MultiplexedConnection>,
    said: Result<Named, String>,
}

/// What a Sentinel says of a master.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Its host, as the Sentinel reaches it.
    pub(super) host: String,
    /// Its port.
    pub(super) port: u16,
    /// Grows with every failover.
    epoch: u64,
    /// It counts as failing, for this Sentinel or for all.
    down: bool,
    /// Sentinels that watch it, this one included.
    known: u64,
    /// How many must agree that it is down.
    quorum: u64,
    /// Replicas it has.
    replicas: u64,
}

impl Named {
    pub(super) fn is_same_place(&self, other: &Self) -> bool {
        (&self.host, self.port) == (&other.host, other.port)
    }
}

impl Sentinels {
    pub(super) fn new(each: Vec<(Client, String)>) -> Self {
        let sentinel = |(client, endpoint)| Sentinel {
            client,
            endpoint,
            kept: None,
            said: Err("has not been asked yet".into()),
        };
        Self { each: each.into_iter().map(sentinel).collect() }
    }

    /// Asks all at once; the answer of the latest failover.
    pub(super) async fn ask(&mut self, master: &str, patience: Duration) -> Result<Named, PollError> {
        let mut until = Instant::now() + patience;
        let mut asked = FuturesUnordered::new();
        for sentinel in &mut self.each {
            // Should no answer come, this is what stands.
            sentinel.said = Err("does not answer in time".into());
            asked.push(sentinel.ask(master, patience));
        }
        while let Ok(Some(answered)) = tokio::time::timeout_at(until, asked.next()).await {
            if answered {
                until = until.min(Instant::now() + GRACE);
            }
        }
        drop(asked);
        let told = self.each.iter().filter_map(|one| one.said.as_ref().ok());
        told.max_by_key(|named| named.epoch).cloned().ok_or_else(|| {
            let why: Vec<_> = self
                .each
                .iter()
                .filter_map(|one| Some(format!("{} {}", one.endpoint, one.said.as_ref().err()?)))
                .collect();
            let says = format!("no Sentinel tells where the master {master} is: {}", why.join("; "));
            PollError::new(PollErrorKind::Unreachable, &says)
        })
    }

    /// What all said at the last asking.
    pub(super) fn sample(&self, master: &str, named: &Named) -> SentinelSample {
        let told: Vec<_> = self.each.iter().filter_map(|one| one.said.as_ref().ok()).collect();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        SentinelSample {
            master: SafeText::new(master),
            address: SafeText::new(&format!("{}:{}", named.host, named.port)),
            asked: count(self.each.len()),
            answered: count(told.len()),
            agree: count(told.iter().filter(|it| it.is_same_place(named)).count()),
            known: named.known,
            quorum: named.quorum,
            replicas: named.replicas,
            down: named.down,
            silent: self
                .each
                .iter()
                .filter_map(|one| Some(Missing::new(&one.endpoint, one.said.as_ref().err()?)))
                .collect(),
        }
    }
}

impl Sentinel {
    /// Asks for the master; true when there was an answer that names it.
    async fn ask(&mut self, master: &str, patience: Duration) -> bool {
        let mut question = redis::cmd("SENTINEL");
        question.arg("MASTER").arg(master);
        if let Some(mut kept) = self.kept.take()
            && let Ok(answer) = kept.send_packed_command(&question).await
        {
            (self.kept, self.said) = (Some(kept), understood(&answer));
            return self.said.is_ok();
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(patience))
            .set_response_timeout(Some(patience));
        let opened = self.client.get_multiplexed_async_connection_with_config(&config).await;
        self.said = match opened {
            Ok(mut connection) => match connection.send_packed_command(&question).await {
                Ok(answer) => {
                    self.kept = Some(connection);
                    understood(&answer)
                }
                Err(error) => Err(in_words(&error)),
            },
            Err(error) => Err(in_words(&error)),
        };
        self.said.is_ok()
    }
}

/// Never the library's own text of an error that might hold a password.
fn in_words(error: &RedisError) -> String {
    match error.code() {
        _ if error.is_timeout() => "does not answer in time".into(),
        Some("NOAUTH" | "WRONGPASS") => {
            "wants a user and password: give it as redis://user:password@host:port".into()
        }
        _ if error.kind() == ErrorKind::AuthenticationFailed => {
            "refuses the user or password given with it".into()
        }
        Some(code) => format!("answers {code} {}", error.detail().unwrap_or_default()),
        None if error.is_connection_refusal() => "refuses the connection".into(),
        None if error.is_connection_dropped() => "hangs up".into(),
        None if error.to_string().contains("ertificate") => {
            "shows a certificate that is not trusted; tls_ca names whom to trust".into()
        }
        None => "does not speak as a Sentinel does".into(),
    }
}

/// The answer to SENTINEL MASTER: names and values in turn.
fn understood(answer: &Value) -> Result<Named, String> {
    if let Value::ServerError(error) = answer {
        return Err(in_words(&error.clone().into()));
    }
    let pairs = redis_value::pairs(answer);
    let field = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let number = |name: &str| field(name).and_then(|value| value.parse::<u64>().ok());
    let (Some(host), Some(port)) = (field("ip"), field("port").and_then(|port| port.parse().ok())) else {
        return Err("does not speak as a Sentinel does".into());
    };
    Ok(Named {
        host: host.to_owned(),
        port,
        epoch: number("config-epoch").unwrap_or(0),
        down: field("flags").is_some_and(|flags| flags.contains("_down")),
        known: number("num-other-sentinels").unwrap_or(0).saturating_add(1),
        quorum: number("quorum").unwrap_or(0),
        replicas: number("num-slaves").unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_answer;

    #[test]
    fn an_answer_names_the_master_and_garbage_does_not() {
        let words = |words: &[&str]| {
            Value::Array(words.iter().map(|word| Value::BulkString(word.as_bytes().to_vec())).collect())
        };
        let answer = words(&[
            "name",
            "shop",
            "ip",
            "10.0.0.7",
            "port",
            "6380",
            "flags",
            "s_down,o_down,master",
            "config-epoch",
            "4",
            "num-other-sentinels",
            "2",
            "quorum",
            "2",
            "num-slaves",
            "1",
        ]);
        let named = understood(&answer).expect("an answer");
        assert_eq!((named.host.as_str(), named.port, named.epoch, named.down), ("10.0.0.7", 6_380, 4, true));
        assert_eq!((named.known, named.quorum, named.replicas), (3, 2, 1));
        for garbage in [words(&["ip", "10.0.0.7", "port", "x"]), words(&["ip"]), Value::Nil, Value::Okay] {
            assert!(understood(&garbage).is_err(), "{garbage:?}");
        }
    }

    #[test]
    fn torn_answers_are_read_or_refused() {
        let words =
            "ip 10.0.0.7 port 6380 flags s_down config-epoch 4 num-other-sentinels 2 quorum 2 num-slaves 1";
        let parts = words.split(' ').map(|word| Value::BulkString(word.as_bytes().to_vec()));
        each_torn_answer(&[Value::Array(parts.collect())], |torn| {
            torn.first().and_then(|answer| understood(answer).ok());
        });
    }
}
