//! `warroom kill`, `clear` and `mark`: plan, ask, act, tell.

use std::fmt::Write as _;

use serde::Serialize;
use tokio::sync::mpsc;

use super::args::{ActArgs, ClearArgs, KillArgs, MarkArgs};
use super::context::{Context, block_on};
use super::{Failure, out};
use crate::actions::StopFlag;
use crate::model::{Confirm, Intent, Outcome, OutcomeKind, Plan, Refusal};
use crate::shell::perform::Hands;

pub(super) fn kill(args: &KillArgs, context: &Context) -> Result<u8, Failure> {
    block_on(async {
        let hands = context.hands();
        let intent = match whom(args, &hands).await {
            Ok(intent) => intent,
            Err(refusal) => return told(&Answer::refusal(&refusal, args.pid), args.how),
        };
        carry_out(&hands, intent, args.how).await
    })?
}

async fn whom(args: &KillArgs, hands: &Hands) -> Result<Intent, Refusal> {
    use crate::model::BackendKey;
    let target = args.target.clone();
    let backends = match (args.pid, args.started) {
        (Some(pid), Some(started)) => vec![BackendKey { pid, started }],
        (Some(pid), None) => vec![hands.backend(&target, pid).await?],
        (None, _) => hands.root_blocker(&target).await?,
    };
    Ok(match (args.cancel, backends.as_slice()) {
        (true, [backend]) => Intent::CancelBackend { target, backend: *backend, query_start: None },
        _ => Intent::TerminateBackend { target, backends },
    })
}

pub(super) fn clear(args: &ClearArgs, context: &Context) -> Result<u8, Failure> {
    let refuse = |says: String| told(&Answer::refusal(&Refusal::refused(&says), None), args.how);
    let Some(spec) = context.config.target(&args.target) else {
        return refuse(format!("there is no target {} in the config", args.target));
    };
    let Some(namespace) = spec.namespaces.iter().find(|it| it.name == args.namespace) else {
        let names: Vec<_> = spec.namespaces.iter().map(|it| it.name.as_str()).collect();
        return refuse(format!(
            "{} has no namespace {:?}; {}",
            args.target,
            args.namespace,
            if names.is_empty() {
                "its config names none".into()
            } else {
                format!("known are {}", names.join(", "))
            }
        ));
    };
    let intent = Intent::ClearNamespace { target: args.target.clone(), namespace: namespace.clone() };
    block_on(async { carry_out(&context.hands(), intent, args.how).await })?
}

pub(super) fn mark(args: &MarkArgs, context: &Context) -> Result<u8, Failure> {
    let intent = Intent::MarkDeploy { label: args.label.clone(), note: args.note.clone() };
    // A mark touches nothing: a deploy script is not asked.
    let how = ActArgs { dry_run: false, yes: true, json: args.json };
    block_on(async { carry_out(&context.hands(), intent, how).await })?
}

async fn carry_out(hands: &Hands, intent: Intent, how: ActArgs) -> Result<u8, Failure> {
    let plan = match hands.plan(&intent).await {
        Ok(plan) => plan,
        Err(refusal) => return told(&Answer::refusal(&refusal, pid(&intent)), how),
    };
    if how.dry_run {
        if how.json {
            out::json(&Preview {
                outcome: "nothing_to_do",
                dry_run: true,
                says: says_plan(&plan),
                plan: &plan,
            })?;
        } else {
            out::print(&shown(&plan))?;
        }
        return Ok(OutcomeKind::NothingToDo.exit_code());
    }
    if !how.yes {
        if !how.json {
            out::note(&shown(&plan));
        }
        if let Err(says) = confirmed(&plan) {
            return told(&Answer::refusal(&Refusal::refused(&says), pid(&intent)), how);
        }
    }
    let outcome = run(hands, plan, how).await;
    told(&Answer::outcome(&outcome, pid(&intent)), how)
}

/// Acts; the first interrupt asks a long act to stop at its next safe point.
async fn run(hands: &Hands, plan: Plan, how: ActArgs) -> Outcome {
    let stop = StopFlag::default();
    let (sink, mut progress) = mpsc::channel(8);
    let act = hands.act(plan, sink, stop.clone());
    tokio::pin!(act);
    let mut listening = true;
    loop {
        tokio::select! {
            outcome = &mut act => return outcome,
            told = progress.recv(), if listening => match told {
                Some(told) if !how.json => out::note(told.says.as_str()),
                Some(_) => {}
                None => listening = false,
            },
            pressed = tokio::signal::ctrl_c() => {
                if pressed.is_ok() {
                    stop.stop();
                }
            }
        }
    }
}

fn confirmed(plan: &Plan) -> Result<(), String> {
    let nobody = "nothing was done: there is no terminal to ask on; add --yes";
    match &plan.confirm {
        Confirm::Key => {
            let answer = out::ask(&format!("{}? y/N", plan.verb)).ok_or(nobody)?;
            if matches!(answer.as_str(), "y" | "Y" | "yes") { Ok(()) } else { Err("nothing was done".into()) }
        }
        Confirm::Name(name) => {
            let answer = out::ask(&format!("type {name} to {}:", plan.verb)).ok_or(nobody)?;
            if answer == *name { Ok(()) } else { Err("nothing was done: the name is another".into()) }
        }
    }
}

fn shown(plan: &Plan) -> String {
    let mut text = format!("{}\n", plan.title);
    for line in &plan.lines {
        writeln!(text, "  {:<9} {}", line.label, line.text).ok();
    }
    for warning in &plan.warnings {
        writeln!(text, "  !         {warning}").ok();
    }
    if let Some(gentler) = &plan.gentler {
        writeln!(text, "  gentler   {}", gentler.says).ok();
    }
    text
}

fn says_plan(plan: &Plan) -> String {
    let lines: Vec<_> = plan.lines.iter().map(|line| format!("{} {}", line.label, line.text)).collect();
    format!("{}: {}", plan.title, lines.join("; "))
}

fn pid(intent: &Intent) -> Option<i32> {
    match intent {
        Intent::TerminateBackend { backends, .. } => backends.first().map(|backend| backend.pid),
        Intent::CancelBackend { backend, .. } => Some(backend.pid),
        Intent::ClearNamespace { .. } | Intent::MarkDeploy { .. } => None,
    }
}

#[derive(Serialize)]
struct Preview<'a> {
    outcome: &'static str,
    dry_run: bool,
    says: String,
    plan: &'a Plan,
}

/// What an action prints with `--json`. Fields are only ever added.
#[derive(Debug, Serialize)]
struct Answer {
    outcome: &'static str,
    says: String,
    #[serde(skip)]
    code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    freed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

impl Answer {
    fn refusal(refusal: &Refusal, pid: Option<i32>) -> Self {
        Self {
            outcome: refusal.kind.word(),
            says: refusal.says.to_string(),
            code: refusal.kind.exit_code(),
            pid,
            freed: None,
            matched: None,
            deleted: None,
            id: None,
        }
    }

    fn outcome(outcome: &Outcome, pid: Option<i32>) -> Self {
        Self {
            outcome: outcome.kind.word(),
            says: outcome.says.to_string(),
            code: outcome.kind.exit_code(),
            pid,
            freed: outcome.freed,
            matched: outcome.matched,
            deleted: outcome.deleted,
            id: outcome.mark.clone(),
        }
    }
}

fn told(answer: &Answer, how: ActArgs) -> Result<u8, Failure> {
    if how.json {
        out::json(answer)?;
    } else if answer.code == 0 {
        out::print(&format!("{}\n", answer.says))?;
    } else {
        out::error(&answer.says);
    }
    Ok(answer.code)
}
