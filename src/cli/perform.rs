//! The one way an act of the command line goes: plan, show, ask, write down, act, tell.

use std::io::{BufRead, IsTerminal};
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;

use super::args::Consent;
use super::end::{End, Fail, print, say};
use super::outcome::{ended, refused, told};
use super::plan_text::print_plan;
use super::signal;
use super::under_way::under_way;
use crate::model::words::span;
use crate::model::{Confirm, Intent, Outcome, OutcomeKind, Plan, Refusal};
use crate::shell::behind::Watch;
use crate::shell::clock;
use crate::shell::comeback::Comeback;
use crate::shell::perform::Hands;

/// How often a plan that changed under the operator's eyes is shown again.
const ASKS: u32 = 3;

/// The one way an action of the command line goes.
///
/// `comeback`: how long is then watched whether an application whose session was ended comes back.
pub(super) async fn perform(
    hands: &Hands,
    intent: Result<Intent, Refusal>,
    consent: Consent,
    comeback: Option<Duration>,
) -> Result<End, Fail> {
    let json = consent.form.json;
    let mut watch = None;
    if let (Ok(intent), false) = (&intent, consent.dry_run) {
        watch = Watch::over(hands.config(), intent);
    }
    let looked = match &intent {
        Ok(intent) => hands.plan(intent).await.map(|plan| (intent, plan)),
        Err(refusal) => Err(refusal.clone()),
    };
    let (intent, mut plan) = match looked {
        Ok(looked) => looked,
        Err(refusal) => return ended(&refused(refusal), None, json),
    };
    if consent.dry_run {
        return if json {
            End::json(&json!({ "dry_run": true, "says": plan.title, "plan": plan }), 0)
        } else {
            Ok(End::new(format!("{}\nNothing was touched (--dry-run).\n", print_plan(&plan)), 0))
        };
    }
    if !consent.yes {
        match ask(hands, intent, plan).await {
            Ok(meant) => plan = meant,
            Err(refusal) => return ended(&refused(refusal), None, json),
        }
    }
    let spec = plan.intent.target().and_then(|target| hands.config().target(target));
    let before = match (spec, comeback) {
        (Some(spec), Some(patience)) => {
            Comeback::before(spec, &plan, clock::now).await.map(|it| (it, patience))
        }
        _ => None,
    };
    let outcome = under_way(hands, plan.clone(), watch).await;
    match before.filter(|_| outcome.kind == OutcomeKind::Done) {
        Some((before, patience)) => ended_and_watched(&outcome, &plan, json, before, patience).await,
        None => ended(&outcome, Some(&plan), json),
    }
}

/// Tells at once what came of it, then watches whether the application comes back.
async fn ended_and_watched(
    outcome: &Outcome,
    plan: &Plan,
    json: bool,
    before: Comeback<'_>,
    patience: Duration,
) -> Result<End, Fail> {
    let mut end = ended(outcome, Some(plan), json)?;
    if !json {
        print(&std::mem::take(&mut end.out)).ok();
        say(&format!("looking for {} whether it comes back; ctrl-c ends that", span(patience.as_secs_f64())));
    }
    let back = tokio::select! {
        back = before.watch(patience) => back,
        _ = signal::ended() => None,
    };
    match back {
        _ if json => {
            let seen = back.map(|(back, after)| {
                json!({ "application_name": back.who.as_str(), "client": back.client.as_str(),
                        "pid": back.key.pid, "started": back.key.started,
                        "waiters": back.waiters, "after_s": after, "says": back.says(after) })
            });
            let mut out = told(outcome, Some(plan));
            out["back"] = seen.into();
            End::json(&out, end.code)
        }
        Some((back, after)) => Ok(End::new(format!("! {}\n", back.says(after)), end.code)),
        None => Ok(end),
    }
}

/// Shows the plan and waits for a yes; a plan that has changed meanwhile is shown anew.
async fn ask(hands: &Hands, intent: &Intent, mut plan: Plan) -> Result<Plan, Refusal> {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Err(Refusal::refused("there is no terminal to ask on; --yes goes on without asking"));
    }
    for _ in 0..ASKS {
        say(&print_plan(&plan));
        let (question, right) = match &plan.confirm {
            Confirm::Key => (format!("{}? [y/N]", plan.verb), "y"),
            Confirm::Name(name) => (format!("{}? type {name} to go on:", plan.verb), name.as_str()),
        };
        say(&question);
        let said = tokio::select! {
            said = answer() => said,
            _ = signal::ended() => String::new(),
        };
        let agreed = said == right || (right == "y" && matches!(said.as_str(), "Y" | "yes"));
        if !agreed {
            return Err(Refusal::refused("not confirmed: nothing was done"));
        }
        let fresh = hands.plan(intent).await?;
        let Some(why) = fresh.change_since(&plan) else { return Ok(fresh) };
        say(&format!("{why}; look again."));
        plan = fresh;
    }
    Err(Refusal::refused("it changes faster than it can be confirmed; --yes acts on it as it is then"))
}

/// One line from the terminal, read on a thread of its own so that a signal can end the wait.
async fn answer() -> String {
    let (tell, mut told) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        tell.blocking_send(read.map(|_| line.trim().to_owned()).unwrap_or_default()).ok();
    });
    told.recv().await.unwrap_or_default()
}
