//! One session, kept; one statement in flight at a time, in a transaction that can only read.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Error, Row as _};
use tokio::time::Instant;

use super::presets::Question;
use super::rows;
use crate::config::TargetSpec;
use crate::dial::PostgresDial;
use crate::model::{Missing, PollError, PollErrorKind, Queue, QueueSample, Reading, Sample, TargetId};
use crate::sources::one_answer::one_answer;
use crate::sources::{BoxFuture, Source};

/// Queues kept of one target; the rest is told as left out.
const QUEUES: usize = 500;

/// How long an unanswered statement is waited for, over many polls, before its session is given up, and
/// the longest such wait: each session that had to be given up doubles it.
const PATIENCE: Duration = Duration::from_secs(15);
const MOST_PATIENCE: Duration = Duration::from_mins(4);

/// The rows of a statement, each as JSON.
pub(super) type Answer = Result<Vec<String>, PollError>;

/// Polls the queues that one database keeps.
///
/// As with the server's own source: a poll that is dropped leaves its statement in flight, and the
/// next one waits for it first, so that a server that hangs holds one session of ours and no more.
pub(super) struct SqlQueue {
    target: TargetId,
    dial: PostgresDial,
    question: Question,
    configured: Vec<String>,
    /// Queues seen so far, each as it was last given: an empty queue has no rows.
    known: BTreeMap<String, Queue>,
    session: Option<PgConnection>,
    in_flight: Option<InFlight>,
    patience: Duration,
}

struct InFlight {
    since: Instant,
    answer: BoxFuture<'static, (Answer, Option<PgConnection>)>,
}

impl SqlQueue {
    /// Does not connect yet.
    pub(super) fn new(spec: &TargetSpec) -> Result<Self, String> {
        let dial = PostgresDial::new(spec)?;
        let question = Question::of(spec, dial.role())?;
        let configured = spec.queues.clone();
        let known = configured.iter().map(|name| (name.clone(), unseen(name))).collect();
        let target = spec.id.clone();
        let (session, in_flight) = (None, None);
        Ok(Self { target, dial, question, configured, known, session, in_flight, patience: PATIENCE })
    }

    async fn sample(&mut self) -> Result<QueueSample, PollError> {
        if let Some(late) = self.in_flight.take_if(|late| late.since.elapsed() > self.patience) {
            // Nothing will come any more: the line is dead. Dropping it closes our end.
            drop(late);
            self.patience = (self.patience * 2).min(MOST_PATIENCE);
        }
        let asked = if let Some(late) = &mut self.in_flight {
            late
        } else {
            let asked = ask(self.dial.clone(), self.question.clone(), self.session.take());
            self.in_flight.insert(InFlight { since: Instant::now(), answer: Box::pin(asked) })
        };
        let (answer, session) = asked.answer.as_mut().await;
        (self.in_flight, self.session, self.patience) = (None, session, PATIENCE);
        let mut sample = rows::sample(&answer?).map_err(|why| PollError::new(PollErrorKind::Config, &why))?;
        self.complete(&mut sample);
        Ok(sample)
    }

    /// Adds the queues that are empty by now, in the config's order or by name.
    fn complete(&mut self, sample: &mut QueueSample) {
        let mut given: BTreeMap<String, Queue> =
            sample.queues.drain(..).map(|queue| (queue.name.to_string(), queue)).collect();
        for (name, queue) in &given {
            if self.known.len() < QUEUES || self.known.contains_key(name) {
                self.known.insert(name.clone(), queue.clone());
            }
        }
        let nobody = (sample.workers == Some(0)).then_some(0);
        for (name, before) in &self.known {
            given.entry(name.clone()).or_insert_with(|| Queue { workers: nobody, ..rows::emptied(before) });
        }
        if self.configured.is_empty() {
            sample.queues = given.into_values().collect();
        } else {
            sample.queues = self.configured.iter().filter_map(|name| given.remove(name)).collect();
        }
        sample.left_out = u32::try_from(sample.queues.len().saturating_sub(QUEUES)).unwrap_or(u32::MAX);
        if sample.left_out > 0 {
            // Those that wait for the longest are the ones to keep.
            let age = |queue: &Queue| queue.oldest.seconds().unwrap_or(0.0);
            sample.queues.sort_by(|a, b| age(b).total_cmp(&age(a)).then(b.depth.cmp(&a.depth)));
            sample.queues.truncate(QUEUES);
        }
        sample.missing.extend(self.question.missing.iter().map(|(what, why)| Missing::new(what, why)));
        sample.shared.give_to_only(&mut sample.queues);
    }
}

/// A queue that the config names and no row has told of.
fn unseen(name: &str) -> Queue {
    Queue { name: name.into(), ..Queue::default() }
}

/// Asks once, on `session` or a new one; hands the session back while it can be used.
pub(super) async fn ask(
    dial: PostgresDial,
    question: Question,
    session: Option<PgConnection>,
) -> (Answer, Option<PgConnection>) {
    let kept = session.is_some();
    let mut connection = match session {
        Some(connection) => connection,
        None => match dial.connect().await {
            Ok(connection) => connection,
            Err(error) => return (Err(error), None),
        },
    };
    match rows_of(&mut connection, &question).await {
        Ok(rows) => (Ok(rows), Some(connection)),
        Err(error) => {
            let ended = sqlx::raw_sql("rollback").execute(&mut connection).await.is_ok();
            if kept && !PostgresDial::survives(&error) {
                // Cut off since the last poll: what a new login says is the news.
                return Box::pin(ask(dial, question, None)).await;
            }
            let hidden = ended && is_hidden(&mut connection, &question, &error).await;
            (Err(refusal(&dial, &question, &error, hidden)), ended.then_some(connection))
        }
    }
}

async fn rows_of(connection: &mut PgConnection, question: &Question) -> Result<Vec<String>, Error> {
    // Both texts are of the config's and of ours alone; names in them are quoted.
    sqlx::raw_sql(AssertSqlSafe(question.begin.clone())).execute(&mut *connection).await?;
    let rows = sqlx::query(AssertSqlSafe(question.text.clone())).fetch_all(&mut *connection).await?;
    sqlx::raw_sql("commit").execute(connection).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Whether a table that is said not to exist stands in a schema that the role may not enter.
async fn is_hidden(connection: &mut PgConnection, question: &Question, error: &Error) -> bool {
    if error.as_database_error().and_then(DatabaseError::code).as_deref() != Some("42P01") {
        return false;
    }
    let enters = "select has_schema_privilege(oid, 'usage') from pg_namespace where nspname = $1";
    let enters = sqlx::query_scalar(enters).bind(&question.schema).fetch_optional(connection).await;
    matches!(enters, Ok(Some(false)))
}

/// What went wrong, and what mends it here.
fn refusal(dial: &PostgresDial, question: &Question, error: &Error, hidden: bool) -> PollError {
    let code = error.as_database_error().and_then(DatabaseError::code).unwrap_or_default().into_owned();
    let says = error.as_database_error().map_or_else(String::new, |refusal| refusal.message().to_owned());
    let place = dial.place();
    match code.as_str() {
        _ if hidden => PollError::new(
            PollErrorKind::Rights,
            &format!("{place}: the role may not enter schema {}; {}", question.schema, question.grant),
        ),
        "42501" => PollError::new(PollErrorKind::Rights, &format!("{place}: {says}; {}", question.grant)),
        "42P01" | "42883" | "42703" | "3F000" => PollError::new(
            PollErrorKind::Unsupported,
            &format!(
                "{place}: {says}; see the url's database, the target's schema and the library's version"
            ),
        ),
        "57014" => PollError::new(
            PollErrorKind::Timeout,
            &format!("{place}: the statement took too long and was cancelled; an index may be missing"),
        ),
        "25006" => PollError::new(PollErrorKind::Config, &format!("{place}: {says}; it may only read")),
        code if code.starts_with("42") => {
            PollError::new(PollErrorKind::Config, &format!("{place}: {says} ({code}) in the statement"))
        }
        _ => dial.error(error),
    }
}

impl Source for SqlQueue {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        one_answer(self.target.clone(), self.sample(), Sample::Queue)
    }
}
