//! Clears one cache namespace: only keys with its literal prefix, batch by batch, never holding others up.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::clear::{
    End, Facts, Felt, Guard, Holder, Kept, MOST, Preview, Probe, Server, Sweep, Tally, lines, outcome,
    ping_for_ever, renew, running, warnings,
};
use super::plan_id::plan_id;
use super::{Action, ProgressSink, StopFlag};
use crate::config::TargetSpec;
use crate::journal::Intended;
use crate::model::words::span;
use crate::model::{
    Clearing, Confirm, Gentler, Intent, Namespace, Outcome, OutcomeKind, Plan, Progress, Refusal, SafeText,
    Way,
};

/// A clear of more keys than this is confirmed by typing the target's name.
const MANY: u64 = 1_000_000;
/// The window over which keys expire where the dialog offers it, milliseconds.
const WINDOW_MS: u64 = 600_000;

/// How long Sentinels may take to name a master that they have promoted.
const NAMED: Duration = Duration::from_secs(10);

/// What can be done to one cache.
pub struct RedisActions {
    spec: TargetSpec,
}

impl RedisActions {
    /// Actions on this target; connects when asked to.
    #[must_use]
    pub fn new(spec: &TargetSpec) -> Self {
        Self { spec: spec.clone() }
    }

    fn namespace<'a>(&self, intent: &'a Intent) -> Result<(&'a Namespace, &'a Clearing), Refusal> {
        match intent {
            Intent::ClearNamespace { target, namespace, how } if *target == self.spec.id => {
                Ok((namespace, how))
            }
            Intent::ClearNamespace { target, .. } => {
                Err(Refusal::refused(&format!("meant for {target}, not for {}", self.spec.id)))
            }
            other => Err(Refusal::refused(&format!("a cache cannot {}", other.name()))),
        }
    }

    async fn look(&self, intent: &Intent) -> Result<Plan, Refusal> {
        let (namespace, how) = self.namespace(intent)?;
        let guard = Guard::new(&self.spec, namespace).map_err(|why| Refusal::refused(&why))?;
        let failed = |why: String| Refusal::failed(&format!("cannot look at {}: {why}", self.spec.id));
        let server = Server::find(&self.spec).await.map_err(failed)?;
        let mut connection = server.open().await.map_err(failed)?;
        let facts = Facts::read(&mut connection)
            .await
            .map_err(|why| Refusal::refused(&format!("{} cannot be cleared: {why}", self.spec.id)))?;
        let holder = Holder { server, connection: connection.clone(), facts };
        let mut holders = holder.all().await.map_err(failed)?;
        let Some(facts) = Facts::of_all(&holders) else { return Err(failed("it has no master".into())) };
        if let Some(why) = cannot(how, &facts) {
            return Err(Refusal::refused(&format!("{} cannot do that: {why}", self.spec.id)));
        }
        if how.way == Way::Renew {
            let key = self.version_key(namespace)?;
            let now = renew::look(&mut connection, key).await.map_err(failed)?;
            self.allowed(&mut connection, &facts, &["INCR", key], key).await?;
            return Ok(renew::plan(intent, &self.spec.id, namespace, key, now, &facts));
        }
        let name = format!("{}x", namespace.prefix);
        let command =
            if how.way == Way::Remove { vec!["UNLINK", &name] } else { vec!["PEXPIRE", &name, "1"] };
        self.allowed(&mut connection, &facts, &command, &namespace.pattern()).await?;
        let mut seen: Option<Preview> = None;
        for Holder { connection, facts, .. } in &mut holders {
            let here = Preview::look(connection, &guard, facts.keys).await.map_err(failed)?;
            match &mut seen {
                None => seen = Some(here),
                Some(seen) => seen.join(here),
            }
        }
        let preview = seen.unwrap_or_default();
        if preview.whole && preview.matched == 0 {
            return Err(Refusal::nothing_to_do(&format!(
                "no key of {} begins with {}",
                self.spec.id, namespace.prefix
            )));
        }
        self.plan_of(intent, &guard, &facts, &preview)
    }

    /// Refuses what the server's own rules would refuse.
    async fn allowed(
        &self,
        connection: &mut redis::aio::MultiplexedConnection,
        facts: &Facts,
        command: &[&str],
        keys: &str,
    ) -> Result<(), Refusal> {
        if facts.may(connection, command).await != Some(false) {
            return Ok(());
        }
        let verb = command.first().unwrap_or(&"").to_lowercase();
        let user = facts.user();
        Err(Refusal::refused(&format!(
            "the server would refuse it; mend: ACL SETUSER {user} '(+{verb} ~{keys})'"
        )))
    }

    fn version_key(&self, namespace: &Namespace) -> Result<&str, Refusal> {
        let known = self.spec.namespaces.iter().find(|known| known.prefix == namespace.prefix);
        known.and_then(|known| known.version_key.as_deref()).ok_or_else(|| {
            Refusal::refused(&format!(
                "{} has no version_key in the config: the key whose number the application puts into its keys",
                namespace.name
            ))
        })
    }

    fn plan_of(
        &self,
        intent: &Intent,
        guard: &Guard,
        facts: &Facts,
        preview: &Preview,
    ) -> Result<Plan, Refusal> {
        let (namespace, how) = self.namespace(intent)?;
        let (keys, _) = preview.estimate();
        let typed = keys > MANY || preview.share() > MOST || guard.delicate().is_some();
        let (title, verb) = match how.way {
            Way::Expire { over_ms } => {
                let over = span(over_ms as f64 / 1e3);
                let title = format!("Let {} on {} expire over {over}", namespace.name, self.spec.id);
                (title, format!("let {} expire", namespace.name))
            }
            _ => {
                (format!("Clear {} on {}", namespace.name, self.spec.id), format!("clear {}", namespace.name))
            }
        };
        Ok(Plan {
            id: plan_id(facts.clock),
            intent: intent.clone(),
            read_at: facts.clock,
            title: SafeText::new(&title),
            lines: lines(namespace, how, preview),
            warnings: warnings(guard, facts, preview),
            gentler: self.gentler(namespace, how, facts),
            verb: SafeText::new(&verb),
            confirm: if typed { Confirm::Name(self.spec.id.to_string()) } else { Confirm::Key },
            touches: keys,
            frees: None,
            identity: identity(namespace, facts),
        })
    }

    /// What spares the origin a rush of misses.
    fn gentler(&self, namespace: &Namespace, how: &Clearing, facts: &Facts) -> Option<Gentler> {
        let offer = |way, says: &str| {
            let how = Clearing { way, ..how.clone() };
            let (target, namespace) = (self.spec.id.clone(), namespace.clone());
            let intent = Intent::ClearNamespace { target, namespace, how };
            Gentler { intent: Some(intent), says: SafeText::new(says) }
        };
        let plain = how.only_type.is_none() && how.older_than.is_none();
        match how.way {
            Way::Remove if plain && !facts.cluster && self.version_key(namespace).is_ok() => {
                Some(offer(Way::Renew, "c  raise its version instead"))
            }
            Way::Remove if facts.knows.shortening => {
                let over = format!("c  let them expire over {}", span(WINDOW_MS as f64 / 1e3));
                Some(offer(Way::Expire { over_ms: WINDOW_MS }, &over))
            }
            _ => None,
        }
    }

    async fn clear(&self, plan: &Plan, progress: ProgressSink, stop: StopFlag) -> Outcome {
        let ended = |kind, says: &str| Outcome::new(plan.id.clone(), kind, says);
        let (namespace, how) = match self.namespace(&plan.intent) {
            Ok(wanted) => wanted,
            Err(refusal) => return ended(refusal.kind, refusal.says.as_str()),
        };
        let guard = match Guard::new(&self.spec, namespace) {
            Ok(guard) => guard,
            Err(why) => return ended(OutcomeKind::Refused, &why),
        };
        let opened = async {
            let server = Server::find(&self.spec).await?;
            let mut connection = server.open().await?;
            let facts = Facts::read(&mut connection).await?;
            let holders = Holder { server, connection: connection.clone(), facts }.all().await?;
            let facts = Facts::of_all(&holders).ok_or("it has no master")?;
            Ok::<_, String>((holders, connection, facts))
        };
        let (holders, connection, facts) = match opened.await {
            Ok(opened) => opened,
            Err(why) => return ended(OutcomeKind::Failed, &format!("nothing was cleared: {why}")),
        };
        if identity(namespace, &facts) != plan.identity {
            return ended(OutcomeKind::Refused, "nothing was cleared: another server answers there now");
        }
        if how.way == Way::Renew {
            let key = match self.version_key(namespace) {
                Ok(key) => key,
                Err(refusal) => return ended(refusal.kind, refusal.says.as_str()),
            };
            return renew::act(connection, plan, key).await;
        }
        let (began, parts) = (Instant::now(), holders.len());
        let (mut swept, mut felt) = ((End::Finished, Tally::default()), Felt::default());
        for (part, Holder { server, connection, facts }) in holders.into_iter().enumerate() {
            let (probe, endpoint) = (Probe::default(), server.endpoint().to_owned());
            let sweep = Sweep {
                guard: guard.clone(),
                pattern: namespace.pattern(),
                how: how.clone(),
                keys: facts.keys,
                part: (part, parts),
                replicas: facts.replicas,
                probe: probe.clone(),
                stop: stop.clone(),
                report: report(plan, began, &probe, progress.clone()),
                kept: Kept::default(),
            };
            swept = tokio::select! {
                swept = on_a_thread(server, facts.run_id, sweep, swept.1.clone()) => swept,
                () = ping_for_ever(connection, probe.clone()) => (End::Stopped, swept.1),
            };
            felt.slowest = felt.slowest.max(probe.slowest());
            felt.hit_ratio = probe.hit_ratio().or(felt.hit_ratio);
            if swept.1.unheard > 0
                && let Some(there) = self.moved(&endpoint).await
            {
                swept.0 = End::Broke(format!(
                    "a failover came in between, and {there} has not heard of all of it: clear again"
                ));
            }
            if !matches!(swept.0, End::Finished) {
                break;
            }
        }
        outcome(plan, how, &swept, began.elapsed(), felt)
    }

    /// Where the Sentinels say the master is now, if that is no longer here: they name the new one a moment
    /// after it was promoted.
    async fn moved(&self, endpoint: &str) -> Option<String> {
        if self.spec.sentinels.is_empty() {
            return None;
        }
        let began = Instant::now();
        while began.elapsed() < NAMED {
            if let Ok(server) = Server::find(&self.spec).await
                && server.endpoint() != endpoint
            {
                return Some(server.endpoint().to_owned());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        None
    }
}

/// Tells of the progress, ten times a second.
fn report(
    plan: &Plan,
    began: Instant,
    probe: &Probe,
    progress: ProgressSink,
) -> Box<dyn FnMut(&Tally) + Send> {
    let (plan, probe) = (plan.clone(), probe.clone());
    let mut told: Option<Instant> = None;
    Box::new(move |tally| {
        if told.is_some_and(|at| at.elapsed() < Duration::from_millis(100)) {
            return;
        }
        told = Some(Instant::now());
        let says = running(tally, &plan, began.elapsed(), &probe);
        // Nobody reading is no reason to wait.
        progress.try_send(Progress { plan: plan.id.clone(), share: tally.share, says }).ok();
    })
}

/// Sweeps on a thread of its own; should nobody wait for it any more, it stops after its batch.
async fn on_a_thread(server: Server, run_id: String, mut sweep: Sweep, mut tally: Tally) -> (End, Tally) {
    // Of use no more once the thread has ended: the next server's sweep has the same flag.
    let mut stops = StopWhenDropped(Some(sweep.stop.clone()));
    let before = tally.clone();
    let (done, swept) = tokio::sync::oneshot::channel();
    // One of its own, and not the runtime's, which would have others' work afterwards.
    let work = move || {
        // A failover, or a restart, may lie between the plan and this connection.
        let met = server.wire().and_then(|mut wire| wire.meets(&run_id).map(|()| wire));
        let end = match met {
            Ok(mut wire) => sweep.run(&mut wire, &mut tally),
            Err(why) => End::Broke(why),
        };
        // Nobody waits for it any more: it was stopped.
        done.send((end, tally)).ok();
    };
    let swept = match std::thread::Builder::new().name("clear".into()).spawn(work) {
        Ok(_) => swept.await.unwrap_or_else(|_| (End::Broke("an internal error".into()), before)),
        Err(why) => (End::Broke(format!("the system gives it no thread: {why}")), before),
    };
    stops.0 = None;
    swept
}

/// Stops an act whose future is dropped, for its thread would go on.
struct StopWhenDropped(Option<StopFlag>);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        if let Some(stop) = &self.0 {
            stop.stop();
        }
    }
}

impl Action for RedisActions {
    fn plan<'a>(&'a self, intent: &'a Intent) -> BoxFuture<'a, Result<Plan, Refusal>> {
        Box::pin(self.look(intent))
    }

    fn act<'a>(
        &'a self,
        intended: &'a Intended,
        progress: ProgressSink,
        stop: StopFlag,
    ) -> BoxFuture<'a, Outcome> {
        Box::pin(self.clear(intended.plan(), progress, stop))
    }
}

/// The prefix on this very start of the server.
fn identity(namespace: &Namespace, facts: &Facts) -> String {
    format!("{} on {}", namespace.prefix, facts.run_id)
}

/// Why this server cannot do what is wanted, whoever asks.
fn cannot(how: &Clearing, facts: &Facts) -> Option<&'static str> {
    match how.way {
        Way::Expire { .. } if !facts.knows.shortening => Some(
            "it is older than Redis 7, which cannot shorten a key's life without the risk of making it longer",
        ),
        Way::Renew if facts.cluster => Some("a version key of a cluster is not raised from here"),
        _ if how.only_type.is_some() && !facts.knows.types => {
            Some("it is older than Redis 6, which cannot look for keys of one type")
        }
        _ if how.older_than.is_some() && facts.forgets_when => {
            Some("under an lfu policy it does not remember when a key was last used")
        }
        _ => None,
    }
}
