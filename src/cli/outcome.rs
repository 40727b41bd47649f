//! What came of an act, for people and for scripts.

use serde_json::{Map, Value, json};

use super::end::{End, Fail};
use crate::model::{Intent, Outcome, OutcomeKind, Plan, PlanId, Refusal, SafeText};

/// The outcome of what was never planned.
pub(super) fn refused(refusal: Refusal) -> Outcome {
    refusal.ends(&PlanId(String::new()))
}

/// What came of it, as text or as JSON, and the exit code.
pub(super) fn ended(outcome: &Outcome, plan: Option<&Plan>, json: bool) -> Result<End, Fail> {
    let code = outcome.kind.exit_code();
    if json {
        return End::json(&told(outcome, plan), code);
    }
    let next = outcome.next.as_ref().map(|next| match &next.intent {
        Some(intent) => format!("{}: {}", next.says, intent.command_line()),
        None => next.says.to_string(),
    });
    if outcome.kind == OutcomeKind::Done {
        let next = next.map_or_else(String::new, |next| format!("{next}\n"));
        return Ok(End::new(format!("{}\n{next}", outcome.says), code));
    }
    let next = next.map_or_else(String::new, |next| format!("; {next}"));
    Err(Fail::new(code, &format!("{}: {}{next}", outcome.kind.word().replace('_', " "), outcome.says)))
}

/// The outcome as the contract fixes it; fields are only ever added.
pub(super) fn told(outcome: &Outcome, plan: Option<&Plan>) -> Value {
    let mut out = Map::new();
    out.insert("outcome".into(), outcome.kind.word().into());
    out.insert("says".into(), outcome.says.as_str().into());
    let mut add = |key: &str, value: Value| out.insert(key.to_owned(), value);
    if let Some(next) = &outcome.next {
        let command = next.intent.as_ref().map(Intent::command_line);
        add("next", json!({ "says": next.says.as_str(), "command": command }));
    }
    if let Some(plan) = plan {
        add("intent", plan.intent.name().into());
        add("plan", plan.id.0.clone().into());
        if let Some(target) = plan.intent.target() {
            add("target", target.as_str().into());
        }
        match &plan.intent {
            Intent::TerminateBackend { backends, .. } => {
                add("pid", backends.first().map(|key| key.pid).into());
                add("pids", backends.iter().map(|key| key.pid).collect::<Vec<_>>().into());
                add("freed", outcome.freed.into());
            }
            Intent::CancelBackend { backend, .. } => {
                add("pid", backend.pid.into());
                add("freed", outcome.freed.into());
            }
            Intent::RollbackPrepared { gid, database, .. } => {
                add("gid", SafeText::new(gid).as_str().into());
                add("database", SafeText::new(database).as_str().into());
                add("freed", outcome.freed.into());
            }
            Intent::ClearNamespace { namespace, .. } => {
                add("namespace", SafeText::new(&namespace.name).as_str().into());
                add("matched", outcome.matched.into());
                add("deleted", outcome.deleted.into());
                add("stopped", outcome.stopped.into());
                if let Some(keys) = outcome.expiring {
                    add("expiring", keys.into());
                }
            }
            Intent::SetServer { backend, server, .. } => {
                add("server", SafeText::new(&format!("{backend}/{server}")).as_str().into());
            }
            Intent::PauseQueue { queue, .. } => {
                add("queue", queue.as_deref().map(|name| SafeText::new(name).to_string()).into());
            }
            Intent::MarkDeploy { label, .. } => {
                add("id", outcome.mark.clone().into());
                add("label", SafeText::new(label).as_str().into());
            }
        }
        if let Ok(steps) = serde_json::to_value(&outcome.steps) {
            add("steps", steps);
        }
    }
    Value::Object(out)
}
