//! The gentlest clear: the number that an application puts into its keys is raised, in one command.

use std::fmt::Display;

use redis::aio::MultiplexedConnection;

use super::super::plan_id;
use super::server::{Facts, ask, number, refused};
use crate::model::{
    Confirm, Intent, Namespace, Outcome, OutcomeKind, Plan, PlanLine, Refusal, SafeText, StepResult,
    TargetId, Timestamp,
};

/// The version now; `None` when the key does not exist.
///
/// # Errors
/// A fragment: the connection broke, or the key holds no whole number.
pub(in crate::actions) async fn look(
    connection: &mut MultiplexedConnection,
    key: &str,
) -> Result<Option<i64>, String> {
    let mut pipeline = redis::pipe();
    pipeline.cmd("GET").arg(key);
    let values = ask(connection, &pipeline).await?;
    if let Some(why) = refused(&values) {
        return Err(format!("its version key {key}: {why}"));
    }
    match values.first() {
        None | Some(redis::Value::Nil) => Ok(None),
        Some(value) => {
            let told = number(value).map(Some);
            told.ok_or_else(|| format!("its version key {key} holds no whole number"))
        }
    }
}

/// What raising a version touches, in whatever cache: one key.
pub(in crate::actions) struct Raise<'a> {
    pub(in crate::actions) intent: &'a Intent,
    pub(in crate::actions) target: &'a TargetId,
    pub(in crate::actions) namespace: &'a Namespace,
    pub(in crate::actions) key: &'a str,
    /// What is there and what it becomes, in words.
    pub(in crate::actions) version: String,
    /// Why the key might be missing; `None` when it is there.
    pub(in crate::actions) missing: Option<&'static str>,
    pub(in crate::actions) read_at: Timestamp,
    pub(in crate::actions) identity: String,
}

impl Raise<'_> {
    pub(in crate::actions) fn plan(self) -> Plan {
        let Self { namespace, .. } = self;
        let mut warnings =
            vec![SafeText::new("every lookup of the namespace misses at once: the origin takes them all")];
        warnings.extend(self.missing.map(SafeText::new));
        Plan {
            id: plan_id(self.read_at),
            intent: self.intent.clone(),
            read_at: self.read_at,
            title: SafeText::new(&format!("Raise the version of {} on {}", namespace.name, self.target)),
            lines: vec![
                PlanLine::new("key", self.key),
                PlanLine::new("version", &self.version),
                PlanLine::new("stays", "every key of before, unread, until it expires or is evicted"),
            ],
            warnings,
            gentler: None,
            verb: SafeText::new(&format!("raise the version of {}", namespace.name)),
            confirm: Confirm::Key,
            touches: 1,
            frees: None,
            identity: self.identity,
        }
    }
}

/// What it would touch.
pub(in crate::actions) fn plan(
    intent: &Intent,
    target: &TargetId,
    namespace: &Namespace,
    key: &str,
    now: Option<i64>,
    facts: &Facts,
) -> Plan {
    let version = match now {
        Some(now) => format!("{now}, becomes {}", now.saturating_add(1)),
        None => "not there yet, becomes 1".into(),
    };
    let raise = Raise {
        intent,
        target,
        namespace,
        key,
        version,
        missing: now.is_none().then_some("nobody has set that key: does the application read it?"),
        read_at: facts.clock,
        identity: format!("{} on {}", namespace.prefix, facts.run_id),
    };
    raise.plan()
}

/// Raises it, and reads it back.
pub(in crate::actions) async fn act(
    mut connection: MultiplexedConnection,
    plan: &Plan,
    key: &str,
) -> Outcome {
    let mut pipeline = redis::pipe();
    pipeline.cmd("INCR").arg(key);
    let raised = match ask(&mut connection, &pipeline).await {
        Ok(values) => match (refused(&values), values.first().and_then(number)) {
            (Some(why), _) => Err(format!("nothing was done: {why}")),
            (None, Some(version)) => Ok(version),
            (None, None) => Err("the answer to INCR is not one: look whether it was raised".into()),
        },
        Err(why) => Err(format!("{why}: look whether {key} was raised")),
    };
    let seen = match raised {
        Ok(version) => look(&mut connection, key).await.map(|now| (version, now)),
        Err(why) => Err(why),
    };
    let done = match seen {
        Ok((version, Some(now))) if now >= version => Ok(version),
        Ok((version, _)) => Err(Refusal::failed(&format!(
            "raised {key} to {version}, but it was not there when read back: somebody else writes it"
        ))),
        Err(why) => Err(Refusal::failed(&why)),
    };
    raised_outcome(plan, key, done)
}

/// The outcome of raising `key`, with the version it was seen at.
pub(in crate::actions) fn raised_outcome(
    plan: &Plan,
    key: &str,
    done: Result<impl Display, Refusal>,
) -> Outcome {
    let (outcome, step) = match done {
        Ok(version) => {
            let says =
                format!("raised {key} to {version}; the keys of before stay, unread, until they expire");
            let outcome = Outcome::new(plan.id.clone(), OutcomeKind::Done, &says);
            (outcome, StepResult::Done(SafeText::new(&says)))
        }
        Err(refusal) => {
            let step = StepResult::Failed(refusal.says.clone());
            (refusal.ends(&plan.id), step)
        }
    };
    Outcome { matched: Some(0), deleted: Some(0), steps: vec![step], ..outcome }
}
