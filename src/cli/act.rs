//! What the verbs that act want: `kill`, `clear`, `server`, `pause`, `resume` and `mark` as intents.

use std::sync::Arc;
use std::time::Duration;

use super::args::{ClearArgs, Consent, Global, KillArgs, MarkArgs, PauseArgs, ServerArgs};
use super::end::{End, Fail};
use super::perform::perform;
use super::run::{config, env, quiet_config, runtime};
use crate::config::{Config, find, without_file};
use crate::journal::{Author, Journal, actor};
use crate::model::{
    BackendKey, Clearing, Intent, QueueChange, Refusal, ServerChange, TargetId, Way, pause_reach,
};
use crate::shell::clock;
use crate::shell::perform::Hands;

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
        Arc::new(without_file(&global.flags(), &env)?)
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
