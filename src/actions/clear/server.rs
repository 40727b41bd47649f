//! The connection of a clear, and what must be known of the server before it.

use std::net::IpAddr;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, Pipeline, RedisError, Value};

use super::wire::Wire;
use crate::config::TargetSpec;
use crate::dial::{RedisDoor, redis_value};
use crate::model::Timestamp;

/// How to reach the server.
pub(in crate::actions) struct Server {
    pub(super) client: Client,
    pub(super) endpoint: String,
    pub(super) timeout: Duration,
}

impl Server {
    /// Where it is now: Sentinels are asked anew each time. Does not connect to the server itself.
    ///
    /// # Errors
    /// A sentence, without the URL's credentials.
    pub(in crate::actions) async fn find(spec: &TargetSpec) -> Result<Self, String> {
        let mut door = RedisDoor::new(spec)?;
        door.find().await.map_err(|error| error.says.to_string())?;
        let endpoint = door.endpoint().to_owned();
        Ok(Self { client: door.client().clone(), endpoint, timeout: spec.timeout })
    }

    /// Its address, without credentials.
    pub(in crate::actions) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Opens a connection and names it.
    ///
    /// # Errors
    /// A sentence, without credentials.
    pub(in crate::actions) async fn open(&self) -> Result<MultiplexedConnection, String> {
        self.open_as("warroom-clear").await
    }

    /// Opens a connection under this name.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(in crate::actions) async fn open_as(&self, name: &str) -> Result<MultiplexedConnection, String> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await;
        let mut connection = connection.map_err(|error| self.in_words(&error))?;
        let mut named = redis::pipe();
        named.cmd("CLIENT").arg("SETNAME").arg(name);
        connection.send_packed_commands(&named, 0, 1).await.map_err(|error| self.in_words(&error))?;
        Ok(connection)
    }

    /// Opens a connection that blocks, for a thread of its own; do not call it on the runtime.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(in crate::actions) fn wire(&self) -> Result<Wire, String> {
        let open = || {
            let connection = self.client.get_connection_with_timeout(self.timeout)?;
            connection.set_read_timeout(Some(self.timeout))?;
            connection.set_write_timeout(Some(self.timeout))?;
            Ok(connection)
        };
        let mut wire = open()
            .map(|connection| Wire::new(connection, self.is_local()))
            .map_err(|error| self.in_words(&error))?;
        wire.put(&[b"CLIENT", b"SETNAME", b"warroom-clear"]);
        wire.send()?;
        // Whoever may not name a connection may still clear.
        wire.answer()?;
        Ok(wire)
    }

    /// Whether it runs on this machine, as far as its address tells.
    fn is_local(&self) -> bool {
        match self.client.get_connection_info().addr() {
            ConnectionAddr::Unix(_) => true,
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => {
                host == "localhost" || host.parse().is_ok_and(|it: IpAddr| it.is_loopback())
            }
            _ => false,
        }
    }

    fn in_words(&self, error: &RedisError) -> String {
        match error.kind() {
            ErrorKind::AuthenticationFailed => format!("{} refused the user or password", self.endpoint),
            _ => format!("no connection to {}: {}", self.endpoint, in_words(error)),
        }
    }
}

/// Asks in one round trip; an answer may be the server's error.
pub(in crate::actions) async fn ask(
    connection: &mut MultiplexedConnection,
    questions: &Pipeline,
) -> Result<Vec<Value>, String> {
    let values = connection.send_packed_commands(questions, 0, questions.len()).await;
    let values = values.map_err(|error| in_words(&error))?;
    if values.len() == questions.len() { Ok(values) } else { Err("an answer is missing".into()) }
}

pub(super) fn in_words(error: &RedisError) -> String {
    if error.is_timeout() {
        "no answer in time".into()
    } else if error.is_connection_refusal() {
        "nobody listens there".into()
    } else if error.is_connection_dropped() {
        "the connection was closed".into()
    } else {
        format!("{} {}", error.code().unwrap_or("broken answer"), error.detail().unwrap_or_default())
    }
}

/// The first refusal among these answers, in words with its mend.
pub(in crate::actions) fn refused(values: &[Value]) -> Option<String> {
    values.iter().find_map(|value| {
        let Value::ServerError(error) = value else { return None };
        let details = error.details().unwrap_or_default();
        Some(match error.code() {
            "READONLY" => "it has become a replica: clear again where the master is now".into(),
            "NOPERM" => format!("this user may not: {details}"),
            "MISCONF" => {
                "it refuses writes because its last snapshot failed: see its log and its disk".into()
            }
            "MOVED" | "ASK" => "its slots are being moved to another master: clear again afterwards".into(),
            "CLUSTERDOWN" => "a part of the cluster is down".into(),
            "OOM" => "it is out of memory and refuses the command".into(),
            "NOAUTH" => "it wants a password: set it in the url".into(),
            "LOADING" => "it is loading its data".into(),
            code => format!("it answers {code} {details}"),
        })
    })
}

/// What must be known before anything is touched.
#[derive(Clone)]
pub(in crate::actions) struct Facts {
    /// Changes with every start of the server.
    pub run_id: String,
    /// The server's clock.
    pub clock: Timestamp,
    /// Keys in this database.
    pub keys: u64,
    /// Replicas that will follow.
    pub replicas: u64,
    /// Everything is also written to an append-only file.
    pub appends: bool,
    /// What its commands can do, by themselves and not by its version.
    pub knows: Knows,
    /// A member of a cluster: others hold the rest of the keys.
    pub cluster: bool,
    /// Servers these are the facts of.
    pub masters: u64,
    /// It remembers how often keys are used, not when they last were.
    pub forgets_when: bool,
    user: String,
}

/// What the commands of a server can do.
#[derive(Clone, Copy)]
pub(in crate::actions) struct Knows {
    /// It can shorten the life of a key without the risk of making it longer.
    pub shortening: bool,
    /// It can look for keys of one type only.
    pub types: bool,
}

impl Facts {
    /// Reads them.
    ///
    /// # Errors
    /// A sentence: not reachable, or nothing may be cleared there (a replica, loading).
    pub(in crate::actions) async fn read(connection: &mut MultiplexedConnection) -> Result<Self, String> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("INFO");
        pipeline.cmd("DBSIZE");
        pipeline.cmd("TIME");
        pipeline.cmd("ACL").arg("WHOAMI");
        pipeline.cmd("COMMAND").arg("INFO").arg("PEXPIRE");
        pipeline.cmd("SCAN").arg(0).arg("COUNT").arg(1).arg("TYPE").arg("string");
        let values = ask(connection, &pipeline).await?;
        let [info, keys, time, user, pexpire, scan] = values.as_slice() else {
            return Err("an answer is missing".into());
        };
        // Without the number of all keys, those of the namespace in a large one would read as none.
        if let Some(why) = refused(&values[..2]) {
            return Err(format!(
                "cannot look before clearing: {why}; mend: ACL SETUSER <user> +info +dbsize"
            ));
        }
        let text = text(info);
        let field = |name: &str| {
            text.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':')).unwrap_or("")
        };
        if field("role") == "slave" {
            return Err(
                "it is a replica: point the url at the master, or wait until a failover is over".into()
            );
        }
        if field("loading") == "1" {
            return Err("it is loading its data".into());
        }
        let cluster = [field("redis_mode"), field("server_mode")].contains(&"cluster")
            || field("cluster_enabled") == "1";
        let micros = match time {
            Value::Array(parts) => match parts.as_slice() {
                [seconds, micros] => number(seconds).zip(number(micros)).map(|(s, m)| s * 1_000_000 + m),
                _ => None,
            },
            _ => None,
        };
        let micros = micros.or_else(|| field("server_time_usec").parse().ok()).unwrap_or(0);
        Ok(Self {
            run_id: field("run_id").to_owned(),
            clock: Timestamp::from_micros(micros),
            keys: number(keys).and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
            replicas: field("connected_slaves").parse().unwrap_or(0),
            cluster,
            masters: 1,
            appends: field("aof_enabled") == "1",
            knows: Knows {
                shortening: takes_options(pexpire).unwrap_or_else(|| {
                    field("redis_version").split('.').next().and_then(|it| it.parse().ok()).unwrap_or(0) >= 7
                }),
                types: !matches!(scan, Value::ServerError(error) if error.code() == "ERR"),
            },
            forgets_when: field("maxmemory_policy").contains("lfu"),
            user: self::text(user),
        })
    }

    /// Asks the server whether it would carry a command out, without trying; `None` when it does not tell.
    pub(in crate::actions) async fn may(
        &self,
        connection: &mut MultiplexedConnection,
        command: &[&str],
    ) -> Option<bool> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("ACL").arg("DRYRUN").arg(&self.user).arg(command);
        let values = ask(connection, &pipeline).await.ok()?;
        match values.first()? {
            Value::Okay => Some(true),
            Value::ServerError(_) => None,
            _ => Some(false),
        }
    }

    /// Who is logged in, for a rule that mends.
    pub(in crate::actions) fn user(&self) -> &str {
        if self.user.is_empty() { "<user>" } else { &self.user }
    }
}

/// Whether a command takes any number of words from its usual three on, by COMMAND INFO: then it knows
/// options. `None` where that is refused or not told.
fn takes_options(told: &Value) -> Option<bool> {
    let Value::Array(commands) = told else { return None };
    let Value::Array(parts) = commands.first()? else { return None };
    parts.get(1).and_then(number).map(|arity| arity < 0)
}

/// A text answer; empty where it is none.
pub(in crate::actions) fn text(value: &Value) -> String {
    redis_value::text(value).unwrap_or_default()
}

/// A whole number, however the server wrote it.
pub(in crate::actions) fn number(value: &Value) -> Option<i64> {
    redis_value::whole(value)
}

/// The answer to SCAN: the next cursor and the keys.
pub(super) fn scanned(value: &Value) -> Option<(u64, &[Value])> {
    let Value::Array(parts) = value else { return None };
    let [cursor, Value::Array(keys)] = parts.as_slice() else { return None };
    // A cursor is unsigned and may use all 64 bits.
    let cursor = match cursor {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok()?,
        Value::Int(number) => u64::try_from(*number).ok()?,
        _ => return None,
    };
    Some((cursor, keys))
}

/// The bytes of a key.
pub(super) fn key(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        _ => None,
    }
}
