//! One connection that speaks the Redis protocol: kept between polls, never left half read.

use std::time::Duration;

use futures_util::future;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, Pipeline, RedisError, Value};
use tokio::time::Instant;

use super::resp_lost;
use crate::config::TargetSpec;
use crate::dial::RedisDoor;
pub(super) use crate::dial::redis_value::{bytes, count, list, pairs, refusal, text, texts, whole};
use crate::model::{DoctorLine, PollError, PollErrorKind, SentinelSample, Severity};

/// How often Sentinels are asked, while all goes well, whether the master is still the same.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A connection to a server, opened at the first question and kept.
///
/// While a question is under way the connection is not kept here: a future that is dropped, a
/// timeout or a broken answer closes it, and the next question opens a new one.
pub(super) struct Resp {
    door: RedisDoor,
    timeout: Duration,
    kept: Option<MultiplexedConnection>,
    opened: u64,
    /// When Sentinels were last asked.
    looked: Option<Instant>,
}

/// The answers of one round trip, one a command and in their order; an answer may be the server's error.
pub(super) struct Answers {
    /// What the server said.
    pub(super) values: Vec<Value>,
    /// Time from writing a PING to its answer, which came before the others were worked on.
    pub(super) ping: Duration,
}

impl Resp {
    /// A connection to the target's URL, not opened yet.
    ///
    /// # Errors
    /// A sentence for the operator when the URL is not one of a Redis; without the URL itself.
    pub(super) fn new(spec: &TargetSpec) -> Result<Self, String> {
        Ok(Self {
            door: RedisDoor::new(spec)?,
            // A tenth is left to the caller, so that what is said here wins over its own timeout.
            timeout: spec.timeout.mul_f64(0.9),
            kept: None,
            opened: 0,
            looked: None,
        })
    }

    /// The same user, password and encryption at another address, not opened yet.
    ///
    /// # Errors
    /// A fragment when it is no address.
    pub(super) fn at(&self, host: &str, port: u16, timeout: Duration) -> Result<Self, String> {
        let door = self.door.at(host, port).map_err(|error| error.says.to_string())?;
        Ok(Self { door, timeout, kept: None, opened: 0, looked: None })
    }

    /// How often a connection was opened: what was refused on one may be allowed on the next.
    #[must_use]
    pub(super) const fn opened(&self) -> u64 {
        self.opened
    }

    /// The number of the database that is asked.
    #[must_use]
    pub(super) fn database(&self) -> i64 {
        self.door.client().get_connection_info().redis_settings().db()
    }

    /// The user of the URL, where it names one.
    #[must_use]
    pub(super) fn user(&self) -> Option<String> {
        self.door.client().get_connection_info().redis_settings().username().map(str::to_owned)
    }

    /// What the Sentinels said last, where the way leads over them.
    #[must_use]
    pub(super) fn sentinel(&self) -> Option<SentinelSample> {
        self.door.watch()
    }

    /// A further connection that listens for messages whose channel matches a pattern.
    ///
    /// # Errors
    /// As for [`Self::ask`].
    pub(super) async fn listen(&self, pattern: &str) -> Result<redis::aio::PubSub, PollError> {
        let open = async {
            let mut listener = self.door.client().get_async_pubsub().await?;
            listener.psubscribe(pattern).await?;
            Ok(listener)
        };
        match tokio::time::timeout(self.timeout, open).await {
            Ok(opened) => opened.map_err(|error| self.explain(&error)),
            Err(_) => Err(self.late()),
        }
    }

    /// Asks everything in one round trip, with a PING ahead of it.
    ///
    /// A kept connection that turns out to be dead is replaced once, so that a restarted server
    /// is not mistaken for a broken one.
    ///
    /// # Errors
    /// No connection, no answer in time, not the protocol, or a refusal that concerns every command.
    pub(super) async fn ask(&mut self, questions: &Pipeline) -> Result<Answers, PollError> {
        if let Some(connection) = self.kept.take() {
            let (answers, moved) = if self.is_time_to_look() {
                self.looked = Some(Instant::now());
                future::join(exchange(connection, questions), self.door.find()).await
            } else {
                (exchange(connection, questions).await, Ok(false))
            };
            match answers {
                // Another one is the master now: what the old one says is not what was asked for.
                _ if moved == Ok(true) => {}
                Err(error) if error.is_connection_dropped() && !error.is_timeout() => {}
                other => return self.keep(other),
            }
        }
        let connection = self.connect().await?;
        let answers = exchange(connection, questions).await;
        self.keep(answers)
    }

    fn is_time_to_look(&self) -> bool {
        self.door.is_guarded() && self.looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY)
    }

    fn keep(
        &mut self,
        answers: Result<(MultiplexedConnection, Answers), RedisError>,
    ) -> Result<Answers, PollError> {
        let (connection, answers) = answers.map_err(|error| self.explain(&error))?;
        self.kept = Some(connection);
        Ok(answers)
    }

    async fn connect(&mut self) -> Result<MultiplexedConnection, PollError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
        self.door.find().await?;
        self.looked = Some(Instant::now());
        let mut connection =
            match self.door.client().get_multiplexed_async_connection_with_config(&config).await {
                Ok(connection) => connection,
                Err(error) if error.is_timeout() => {
                    let (at, limit) = (self.door.endpoint(), self.timeout.as_secs_f64());
                    let hint = if at.starts_with("rediss:") { "; does it speak TLS?" } else { "" };
                    let says = format!("{at} took no connection within {limit:.1} s{hint}");
                    return Err(PollError::new(PollErrorKind::Timeout, &says));
                }
                Err(error) => return Err(self.explain(&error)),
            };
        // An account without the right to name itself works all the same.
        let mut name = redis::pipe();
        name.cmd("CLIENT").arg("SETNAME").arg("warroom").ignore_errors();
        if self.door.is_guarded() {
            // Sentinels can be late: only the server itself knows what it is.
            name.cmd("ROLE");
        }
        let named = connection.send_packed_commands(&name, 0, name.len()).await;
        let values = named.map_err(|error| self.explain(&error))?;
        if let Some(Value::ServerError(refusal)) = values.first() {
            let error = RedisError::from(refusal.clone());
            if matches!(self.explain(&error).kind, PollErrorKind::Login | PollErrorKind::Exhausted) {
                return Err(self.explain(&error));
            }
        }
        if let Some("slave") = values.get(1).and_then(|role| text(list(role).first()?)).as_deref() {
            let says = format!("{} is a replica by now: a failover is under way", self.door.endpoint());
            return Err(PollError::new(PollErrorKind::Unavailable, &says));
        }
        self.opened += 1;
        Ok(connection)
    }

    fn late(&self) -> PollError {
        let says = format!(
            "nothing came back from {} within {:.1} s",
            self.door.endpoint(),
            self.timeout.as_secs_f64()
        );
        PollError::new(PollErrorKind::Timeout, &says)
    }

    /// What went wrong, in words; the library's own text only where it holds no secret.
    fn explain(&self, error: &RedisError) -> PollError {
        let at = self.door.endpoint();
        let told = error.detail().unwrap_or_default();
        let (kind, says) = match (error.kind(), error.code().unwrap_or_default()) {
            _ if error.is_timeout() => return self.late(),
            (_, "NOAUTH") => {
                let how = if at.starts_with("unix:") { " as ?pass=" } else { "" };
                (PollErrorKind::Login, format!("{at} wants a password: set it in the url{how}"))
            }
            (ErrorKind::AuthenticationFailed, _) | (_, "WRONGPASS") => {
                (PollErrorKind::Login, format!("{at} refused the url's user or password: correct them"))
            }
            (_, "NOPERM") => {
                (PollErrorKind::Rights, format!("{at} does not allow this user to look: {told}"))
            }
            (_, "LOADING") => {
                (PollErrorKind::Unavailable, format!("{at} is loading its data and takes no commands yet"))
            }
            (_, "BUSY") => (PollErrorKind::Unavailable, format!("{at} is held up by a script: {told}")),
            (_, "MASTERDOWN") => {
                (PollErrorKind::Unavailable, format!("{at} is a replica without its master: {told}"))
            }
            (_, "ERR") if told.contains("max number of clients") => {
                (PollErrorKind::Exhausted, format!("{at} takes no more connections: maxclients is reached"))
            }
            (_, code) if !code.is_empty() => (PollErrorKind::Garbage, format!("{at} answers {code} {told}")),
            (ErrorKind::Parse | ErrorKind::UnexpectedReturnType, _) => {
                (PollErrorKind::Garbage, format!("{at} does not speak the Redis protocol"))
            }
            (ErrorKind::Io, _) => resp_lost::explain(at, error),
            (ErrorKind::InvalidClientConfig, _) => {
                (PollErrorKind::Unsupported, format!("{at} cannot be used as a Redis url"))
            }
            _ => (PollErrorKind::Garbage, format!("{at} broke the conversation off: {error}")),
        };
        PollError::new(kind, &says)
    }
}

/// One round trip, and the connection again when it was whole.
async fn exchange(
    connection: MultiplexedConnection,
    questions: &Pipeline,
) -> Result<(MultiplexedConnection, Answers), RedisError> {
    let (mut first, mut second) = (connection.clone(), connection.clone());
    let began = Instant::now();
    let greet = async {
        let answer = first.send_packed_command(&redis::cmd("PING")).await?;
        Ok::<_, RedisError>((began.elapsed(), answer))
    };
    let rest = second.send_packed_commands(questions, 0, questions.len());
    let ((ping, answer), values) = future::try_join(greet, rest).await?;
    if let Value::ServerError(refusal) = answer {
        let error = RedisError::from(refusal);
        // No right to PING, or it cannot save and refuses it like a write; a login or a load concerns everything.
        if !matches!(error.code(), Some("NOPERM" | "MISCONF")) {
            return Err(error);
        }
    }
    if values.len() != questions.len() {
        return Err((ErrorKind::UnexpectedReturnType, "an answer is missing").into());
    }
    Ok((connection, Answers { values, ping }))
}

/// A text that a SCAN pattern takes literally.
#[must_use]
pub(super) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Refuses the whole sample when the server refused one of its questions for want of a right.
pub(super) fn all_allowed(values: &[Value], rule: &str) -> Result<(), PollError> {
    match values.iter().filter_map(refusal).find(|(code, _)| code == "NOPERM") {
        Some((_, words)) => {
            let says = format!("not allowed to read the queues ({words}); mend: ACL SETUSER <user> {rule}");
            Err(PollError::new(PollErrorKind::Rights, &says))
        }
        None => Ok(()),
    }
}

/// Examines a target whose questions are all of one sort: reachable, version, and whether it answers them.
pub(super) async fn doctor(spec: &TargetSpec, questions: &Pipeline, rule: &str) -> Vec<DoctorLine> {
    let mut connection = match Resp::new(spec) {
        Ok(connection) => connection,
        Err(why) => return vec![DoctorLine::lacking(Severity::Critical, &why, "correct the url")],
    };
    let mut pipeline = redis::pipe();
    pipeline.cmd("ACL").arg("WHOAMI");
    pipeline.cmd("INFO").arg("server");
    for question in questions.cmd_iter() {
        pipeline.add_command(question.clone());
    }
    let answers = match connection.ask(&pipeline).await {
        Ok(answers) => answers.values,
        Err(error) => return vec![DoctorLine::lacking(Severity::Critical, &error.to_string(), "")],
    };
    let [who, server, rest @ ..] = answers.as_slice() else { return Vec::new() };
    let user = text(who).unwrap_or_else(|| "<user>".into());
    let version = text(server)
        .and_then(|text| Some(text.lines().find_map(|line| line.strip_prefix("redis_version:"))?.to_owned()));
    let version = version.unwrap_or_else(|| "of unknown version".into());
    let mut lines = vec![DoctorLine::fine(&format!("redis {version} answers, logged in as {user}"))];
    match all_allowed(rest, rule) {
        Ok(()) => lines.push(DoctorLine::fine("may read everything the queues need")),
        Err(error) => lines.push(DoctorLine::lacking(
            Severity::Critical,
            error.says.as_str(),
            &format!("ACL SETUSER {user} {rule}"),
        )),
    }
    lines
}
