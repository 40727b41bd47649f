//! One session, kept, and one question in flight at a time, whatever the caller's timeout does.

use std::time::Duration;

use tokio::time::Instant;

use super::ask::{Answer, Session, ask};
use crate::config::{ApplicationPattern, TargetSpec};
use crate::dial::PostgresDial;
use crate::model::{DatabaseSample, PollError, Reading, SafeText, Sample, TargetId};
use crate::sources::one_answer::one_answer;
use crate::sources::{BoxFuture, Source};

/// How long an unanswered question is waited for, over many polls, before its session is given up.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest such wait: each session that had to be given up doubles it.
const MOST_PATIENCE: Duration = Duration::from_mins(4);

/// Polls one PostgreSQL server.
///
/// A poll that the caller drops (its timeout) leaves its question in flight, and the next poll
/// waits for that one first. So a server that hangs holds one session of ours, not one more with
/// every poll; and one that was only slow is asked on, without a new login.
pub(super) struct PostgresSource {
    target: TargetId,
    dial: PostgresDial,
    applications: Option<ApplicationPattern>,
    /// The session, when no question is in flight.
    session: Option<Session>,
    in_flight: Option<InFlight>,
    patience: Duration,
}

struct InFlight {
    since: Instant,
    answer: BoxFuture<'static, (Answer, Option<Session>)>,
}

impl PostgresSource {
    /// Does not connect yet.
    pub(super) fn new(spec: &TargetSpec) -> Result<Self, String> {
        let dial = PostgresDial::new(spec)?;
        Ok(Self {
            target: spec.id.clone(),
            dial,
            applications: spec.applications.clone(),
            session: None,
            in_flight: None,
            patience: PATIENCE,
        })
    }

    /// The answer to a question asked in this very poll.
    async fn fresh_answer(&mut self) -> Answer {
        if let Some(late) = self.in_flight.take_if(|late| late.since.elapsed() > self.patience) {
            // Nothing will come any more: the line is dead. Dropping it closes our end.
            drop(late);
            self.patience = (self.patience * 2).min(MOST_PATIENCE);
        }
        if let Some(late) = &mut self.in_flight {
            // What a late answer says was true then, not now; its session is what is wanted.
            let (_outdated, session) = late.answer.as_mut().await;
            self.settle(session);
        }
        let answer = Box::pin(ask(self.dial.clone(), self.session.take()));
        let asked = self.in_flight.insert(InFlight { since: Instant::now(), answer });
        let (answer, session) = asked.answer.as_mut().await;
        self.settle(session);
        answer
    }

    /// What kind of process each session is, where the operator's pattern tells.
    fn name_processes(&self, sample: &mut DatabaseSample) {
        let Some(pattern) = &self.applications else { return };
        for one in &mut sample.backends {
            if let Some(kind) = pattern.kind(one.application_name.as_str()) {
                one.process = SafeText::new(kind);
            }
        }
    }

    fn settle(&mut self, session: Option<Session>) {
        self.in_flight = None;
        self.session = session;
        self.patience = PATIENCE;
    }

    /// The answer, with the kinds of processes named.
    async fn named_answer(&mut self) -> Result<DatabaseSample, PollError> {
        let mut sample = self.fresh_answer().await?;
        self.name_processes(&mut sample);
        Ok(sample)
    }
}

impl Source for PostgresSource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        one_answer(self.target.clone(), self.named_answer(), Sample::Database)
    }
}
