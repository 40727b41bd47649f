//! `kill`, `clear` and `mark`: plan, show, ask, write down, act, tell.

use std::io::{BufRead, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::args::{ClearArgs, Consent, Global, KillArgs, MarkArgs, PauseArgs, ServerArgs};
use super::end::{End, Fail, print, say};
use super::plan_text::print_plan;
use super::run::{config, env, quiet_config, runtime};
use super::signal;
use super::under_way::under_way;
use crate::config::{Config, find};
use crate::journal::{Author, Journal, actor};
use crate::model::words::span;
use crate::model::{
    BackendKey, Clearing, Confirm, Intent, Outcome, OutcomeKind, Plan, QueueChange, Refusal, SafeText,
    ServerChange, TargetId, Way, pause_reach,
};
use crate::shell::behind::Watch;
use crate::shell::clock;
use crate::shell::comeback::Comeback;
use crate::shell::perform::Hands;

/// How often a plan that changed under the operator's eyes is shown again.
const ASKS: u32 = 3;
/// How long is watched whether an ended session's application comes back.
const WATCH: Duration = Duration::from_secs(10);

/// Ends a session, or cancels its statement.
pub(super) fn kill(global: &Global, args: &KillArgs) -> Result<End, Fail> {
    let config = config(global)?;
    let hands = hands(&config);
    let runtime = runtime()?;
    let target = args.target.clone();
    let end = runtime.block_on(async {
        let intent = match &args.prepared {
            Some(gid) => hands.prepared(&target, gid).await,
            None => sessions(&hands, args).await.and_then(|backends| ending(target, backends, args.cancel)),
        };
        // Who was asked is still there and can wait for an answer that a script would wait for in vain.
        let asked = !(args.consent.yes || args.consent.dry_run || args.consent.form.json);
        let watch = args.watch.or_else(|| asked.then_some(WATCH)).filter(|_| !args.cancel);
        perform(&hands, intent, args.consent, watch).await
    });
    runtime.shutdown_background();
    end
}

/// The sessions that are meant: those named, or the root blocker.
async fn sessions(hands: &Hands, args: &KillArgs) -> Result<Vec<BackendKey>, Refusal> {
    let target = &args.target;
    if args.pid.is_empty() {
        return hands.root_blocker(target).await;
    }
    if args.started.is_empty() {
        return hands.backends(target, &args.pid).await;
    }
    if args.started.len() != args.pid.len() {
        return Err(Refusal::refused("give one --started for each --pid, in the same order, or none"));
    }
    let pairs = args.pid.iter().zip(&args.started);
    Ok(pairs.map(|(pid, started)| BackendKey { pid: *pid, started: *started }).collect())
}

fn ending(target: TargetId, backends: Vec<BackendKey>, cancel: bool) -> Result<Intent, Refusal> {
    match (cancel, backends.as_slice()) {
        (false, _) => Ok(Intent::TerminateBackend { target, backends }),
        (true, [backend]) => Ok(Intent::CancelBackend { target, backend: *backend, query_start: None }),
        (true, _) => Err(Refusal::refused(
            "several sessions hold it together; cancelling one frees nobody: name one by --pid, or end them",
        )),
    }
}

/// Clears one cache namespace.
pub(super) fn clear(global: &Global, args: &ClearArgs) -> Result<End, Fail> {
    let config = config(global)?;
    let hands = hands(&config);
    let intent = namespace(&config, args);
    let runtime = runtime()?;
    let end = runtime.block_on(perform(&hands, intent, args.consent, None));
    runtime.shutdown_background();
    end
}

fn namespace(config: &Config, args: &ClearArgs) -> Result<Intent, Refusal> {
    let Some(spec) = config.target(&args.target) else {
        return Err(Refusal::refused(&format!("there is no target {} in the config", args.target)));
    };
    let found = spec.namespaces.iter().find(|namespace| namespace.name == args.namespace);
    let Some(namespace) = found else {
        let names: Vec<_> = spec.namespaces.iter().map(|namespace| namespace.name.as_str()).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let says =
            format!("{} has no namespace {:?} in the config; it has {names}", args.target, args.namespace);
        return Err(Refusal::refused(&says));
    };
    let millis = |it: std::time::Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
    let way = match (args.bump, args.expire_over) {
        (true, _) => Way::Renew,
        (false, Some(over)) => Way::Expire { over_ms: millis(over) },
        (false, None) => Way::Remove,
    };
    let older_than = args.older_than.map(|it| it.as_secs());
    let how = Clearing { pace: args.pace.into(), way, only_type: args.only_type.clone(), older_than };
    Ok(Intent::ClearNamespace { target: args.target.clone(), namespace: namespace.clone(), how })
}

/// Drains, takes out, brings back or weighs a server behind a proxy.
pub(super) fn server(global: &Global, args: &ServerArgs) -> Result<End, Fail> {
    let config = config(global)?;
    let hands = hands(&config);
    let to = match (args.ready, args.drain, args.weight) {
        (true, ..) => ServerChange::Ready,
        (_, true, _) => ServerChange::Drain,
        (.., Some(weight)) => ServerChange::Weight(weight),
        (.., None) if args.healthy => ServerChange::Healthy,
        (.., None) => ServerChange::Maintenance,
    };
    let intent = match args.server.split_once('/') {
        Some((backend, server)) => Ok(Intent::SetServer {
            target: args.target.clone(),
            backend: backend.to_owned(),
            server: server.to_owned(),
            to,
        }),
        None => Err(Refusal::refused("name the server as BACKEND/SERVER, such as app/web1")),
    };
    let runtime = runtime()?;
    let end = runtime.block_on(perform(&hands, intent, args.consent, None));
    runtime.shutdown_background();
    end
}

/// Lets workers leave a queue alone, or take its jobs again.
pub(super) fn pause(global: &Global, args: &PauseArgs, to: QueueChange) -> Result<End, Fail> {
    let config = config(global)?;
    let hands = hands(&config);
    let target = args.target.clone();
    // A kind that cannot be told so says why, and what can.
    let intent = match config.target(&target).map(|spec| pause_reach(&spec.kind)) {
        Some(Err(why)) => Err(Refusal::refused(why)),
        _ => Ok(Intent::PauseQueue { target, queue: args.queue.clone(), to }),
    };
    let runtime = runtime()?;
    let end = runtime.block_on(perform(&hands, intent, args.consent, None));
    runtime.shutdown_background();
    end
}

/// Marks a deploy: nothing is asked, for it is made for scripts and touches no target.
pub(super) fn mark(global: &Global, args: &MarkArgs) -> Result<End, Fail> {
    let config = if find(&global.flags(), &env)?.is_some() {
        quiet_config(global)?
    } else {
        // Without a config there is nothing to look for here: a mark needs only the journal.
        let mut config = Config::default();
        config.environment.read_only = global.read_only;
        config.environment.read_only_from = "--read-only";
        Arc::new(config)
    };
    let hands = hands(&config);
    let runtime = runtime()?;
    let intent = Intent::MarkDeploy { label: args.label.clone(), note: args.note.clone() };
    let consent = Consent { dry_run: false, yes: true, form: args.form };
    let end = runtime.block_on(perform(&hands, Ok(intent), consent, None));
    runtime.shutdown_background();
    end
}

fn hands(config: &Arc<Config>) -> Hands {
    let author = Author { actor: actor(&env), environment: config.environment.name.clone() };
    let journal = Journal::place(config.journal.as_deref(), &env)
        .map(|path| Journal::new(path, author))
        .map_err(|err| err.to_string());
    Hands::new(config.clone(), journal, clock::now)
}

/// The one way an action of the command line goes.
///
/// `comeback`: how long is then watched whether an application whose session was ended comes back.
async fn perform(
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
        Err(refusal) => return ended(&refusal_outcome(&refusal), None, json),
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
            Err(refusal) => return ended(&refusal_outcome(&refusal), None, json),
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
            let told = back.map(|(back, after)| {
                json!({ "application_name": back.who.as_str(), "client": back.client.as_str(),
                        "pid": back.key.pid, "started": back.key.started,
                        "waiters": back.waiters, "after_s": after, "says": back.says(after) })
            });
            let mut out = self::told(outcome, Some(plan));
            out["back"] = told.into();
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

fn refusal_outcome(refusal: &Refusal) -> Outcome {
    refusal.clone().ends(&crate::model::PlanId(String::new()))
}

/// What came of it, as text or as JSON, and the exit code.
fn ended(outcome: &Outcome, plan: Option<&Plan>, json: bool) -> Result<End, Fail> {
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
fn told(outcome: &Outcome, plan: Option<&Plan>) -> Value {
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
