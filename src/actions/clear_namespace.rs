//! Clears one cache namespace: only keys with its literal prefix, batch by batch, never holding others up.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use super::clear::{Back, End, Facts, Guard, Preview, Probe, Server, Sweep, Tally, ping_for_ever};
use super::plan_id::plan_id;
use super::{Action, ProgressSink, StopFlag};
use crate::config::TargetSpec;
use crate::journal::Intended;
use crate::model::words::{bytes, count, span};
use crate::model::{
    Clearing, Confirm, Intent, Namespace, Outcome, OutcomeKind, Pace, Plan, PlanId, PlanLine, Progress,
    Refusal, SafeText, StepResult,
};

/// A clear of more keys than this is confirmed by typing the target's name.
const MANY: u64 = 1_000_000;
/// As is one of more than this share of all keys.
const MOST: f64 = 0.5;

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
        let (namespace, _) = self.namespace(intent)?;
        let guard = Guard::new(&self.spec, namespace).map_err(|why| Refusal::refused(&why))?;
        let failed = |why: String| Refusal::failed(&format!("cannot look at {}: {why}", self.spec.id));
        let server = Server::new(&self.spec).map_err(failed)?;
        let mut connection = server.open().await.map_err(failed)?;
        let facts = Facts::read(&mut connection)
            .await
            .map_err(|why| Refusal::refused(&format!("{} cannot be cleared: {why}", self.spec.id)))?;
        if facts.may_unlink(&mut connection, &format!("{}x", namespace.prefix)).await == Some(false) {
            return Err(Refusal::refused(&format!(
                "the server would refuse it; mend: ACL SETUSER {} '(+unlink ~{})'",
                facts.user(),
                namespace.pattern()
            )));
        }
        let preview = Preview::look(&mut connection, &guard, facts.keys).await.map_err(failed)?;
        if preview.whole && preview.matched == 0 {
            return Err(Refusal::nothing_to_do(&format!(
                "no key of {} begins with {}",
                self.spec.id, namespace.prefix
            )));
        }
        Ok(self.plan_of(intent, namespace, &guard, &facts, &preview))
    }

    fn plan_of(
        &self,
        intent: &Intent,
        namespace: &Namespace,
        guard: &Guard,
        facts: &Facts,
        preview: &Preview,
    ) -> Plan {
        let (keys, _) = preview.estimate();
        let typed = keys > MANY || preview.share() > MOST || guard.delicate().is_some();
        Plan {
            id: plan_id(facts.clock),
            intent: intent.clone(),
            read_at: facts.clock,
            title: SafeText::new(&format!("Clear {} on {}", namespace.name, self.spec.id)),
            lines: lines(namespace, preview),
            warnings: warnings(guard, facts, preview),
            gentler: None,
            verb: SafeText::new(&format!("clear {}", namespace.name)),
            confirm: if typed { Confirm::Name(self.spec.id.to_string()) } else { Confirm::Key },
            touches: keys,
            frees: None,
            identity: identity(namespace, facts),
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
            let server = Server::new(&self.spec)?;
            let mut connection = server.open().await?;
            let facts = Facts::read(&mut connection).await?;
            Ok::<_, String>((server, connection, facts))
        };
        let (server, connection, facts) = match opened.await {
            Ok(opened) => opened,
            Err(why) => return ended(OutcomeKind::Failed, &format!("nothing was cleared: {why}")),
        };
        if identity(namespace, &facts) != plan.identity {
            return ended(OutcomeKind::Refused, "nothing was cleared: another server answers there now");
        }
        let (probe, began) = (Probe::default(), Instant::now());
        let sweep = Sweep {
            guard,
            pattern: namespace.pattern(),
            keys: facts.keys,
            probe: probe.clone(),
            stop,
            report: report(plan, began, &probe, progress),
        };
        let (end, tally) = tokio::select! {
            ended = on_a_thread(server, sweep, how.pace) => ended,
            () = ping_for_ever(connection, probe.clone()) => (End::Stopped, Tally::default()),
        };
        outcome(plan.id.clone(), &end, &tally, began.elapsed(), probe.slowest())
    }
}

/// Tells of the progress, ten times a second.
fn report(
    plan: &Plan,
    began: Instant,
    probe: &Probe,
    progress: ProgressSink,
) -> Box<dyn FnMut(&Tally) + Send> {
    let (id, touches, probe) = (plan.id.clone(), plan.touches, probe.clone());
    let mut told: Option<Instant> = None;
    Box::new(move |tally| {
        if told.is_some_and(|at| at.elapsed() < Duration::from_millis(100)) {
            return;
        }
        told = Some(Instant::now());
        let says = running(tally, touches, began.elapsed(), probe.slowest());
        // Nobody reading is no reason to wait.
        progress.try_send(Progress { plan: id.clone(), share: tally.share, says }).ok();
    })
}

/// Sweeps on a thread of its own; should nobody wait for it any more, it stops after its batch.
async fn on_a_thread(server: Server, mut sweep: Sweep, pace: Pace) -> (End, Tally) {
    let _stops = StopWhenDropped(sweep.stop.clone());
    let swept = tokio::task::spawn_blocking(move || {
        let mut tally = Tally::default();
        let end = match server.wire() {
            Ok(mut wire) => sweep.run(&mut wire, pace, &mut tally),
            Err(why) => End::Broke(why),
        };
        (end, tally)
    });
    swept.await.unwrap_or_else(|_| (End::Broke("an internal error".into()), Tally::default()))
}

/// Stops an act whose future is dropped, for its thread would go on.
struct StopWhenDropped(StopFlag);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Action for RedisActions {
    fn plan<'a>(
        &'a self,
        intent: &'a Intent,
    ) -> Pin<Box<dyn Future<Output = Result<Plan, Refusal>> + Send + 'a>> {
        Box::pin(self.look(intent))
    }

    fn act<'a>(
        &'a self,
        intended: &'a Intended,
        progress: ProgressSink,
        stop: StopFlag,
    ) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
        Box::pin(self.clear(intended.plan(), progress, stop))
    }
}

/// The prefix on this very start of the server.
fn identity(namespace: &Namespace, facts: &Facts) -> String {
    format!("{} on {}", namespace.prefix, facts.run_id)
}

fn lines(namespace: &Namespace, preview: &Preview) -> Vec<PlanLine> {
    let (keys, off) = preview.estimate();
    let matched = match (preview.whole, preview.matched) {
        (true, _) => format!("{} of {} keys", count(keys), count(preview.total)),
        (false, 0) => format!("none among {} looked at; at most about {}", count(preview.seen), count(off)),
        (false, _) => format!(
            "about {} (± {}) of {} keys, from {} looked at",
            count(keys),
            count(off),
            count(preview.total),
            count(preview.seen)
        ),
    };
    let mut lines = vec![PlanLine::new("prefix", &namespace.prefix), PlanLine::new("keys", &matched)];
    if !preview.examples.is_empty() {
        let shown: Vec<_> = preview.examples.iter().take(3).map(|key| shorten(key)).collect();
        lines.push(PlanLine::new("such as", &shown.join("  ")));
        let types: Vec<_> = preview.types.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        lines.push(PlanLine::new("types", &format!("{} of those looked into", types.join(", "))));
        let expiry = match preview.ttl {
            Some((least, most)) => {
                format!("in {} to {}; {} never", span(least), span(most), count(preview.lasting))
            }
            None => "never".into(),
        };
        lines.push(PlanLine::new("expire", &expiry));
    }
    if let Some(mean) = preview.mean_bytes {
        lines.push(PlanLine::new("frees", &format!("about {}", bytes(mean * keys as f64))));
    }
    // Half the pace of an unhurried look.
    let takes = preview.total as f64 / (preview.pace.max(1.0) * 0.5);
    lines.push(PlanLine::new(
        "takes",
        &format!("about {}; it can be paused and stopped", span(takes.max(0.01))),
    ));
    lines
}

fn shorten(key: &str) -> String {
    let mut head: String = key.chars().take(40).collect();
    if head.len() < key.len() {
        head.push('…');
    }
    head
}

fn warnings(guard: &Guard, facts: &Facts, preview: &Preview) -> Vec<SafeText> {
    let mut out = Vec::new();
    let mut warn = |text: &str| out.push(SafeText::new(text));
    if let Some(why) = guard.delicate() {
        warn(&format!("by its name, {why}"));
    }
    if preview.share() > MOST {
        warn(&format!(
            "that is {:.0} % of all keys: most lookups will go to the origin",
            preview.share() * 100.0
        ));
    }
    if let Some((kind, _)) =
        preview.types.iter().find(|(kind, _)| matches!(kind.as_str(), "list" | "zset" | "stream"))
    {
        warn(&format!("holds keys of type {kind}, unusual for a cache: is it one?"));
    }
    for spared in guard.spared_within() {
        warn(&format!("keys that begin with {spared} are protected and stay"));
    }
    if facts.replicas > 0 {
        warn(&format!("{} replicas follow every removal", facts.replicas));
    }
    if facts.appends {
        warn("the append-only file grows by every removal");
    }
    out
}

fn running(tally: &Tally, touches: u64, took: Duration, slowest: Duration) -> SafeText {
    let pace = tally.deleted as f64 / took.as_secs_f64().max(1e-3);
    let phase = match (tally.held, tally.back, tally.braked) {
        (Some(why), ..) => format!("; held: {why}"),
        (None, Some(_), _) => "; looking once more".into(),
        (None, None, true) => "; slowed down, others feel it".into(),
        (None, None, false) => String::new(),
    };
    SafeText::new(&format!(
        "{} of about {} keys, {pace:.0}/s, slowest PING {:.1} ms{phase}",
        count(tally.deleted),
        count(touches.max(tally.matched)),
        slowest.as_secs_f64() * 1e3
    ))
}

/// What the second look found, and how far it looked.
fn again(back: Back) -> String {
    match (back.keys, back.among) {
        (0, None) => "; none is left".into(),
        (0, Some(among)) => format!("; none is left among {} keys looked at again", count(among)),
        (keys, None) => format!("; {} came back since", count(keys)),
        (keys, Some(among)) => {
            format!("; {} of {} keys looked at again came back since", count(keys), count(among))
        }
    }
}

fn outcome(plan: PlanId, end: &End, tally: &Tally, took: Duration, slowest: Duration) -> Outcome {
    let done = format!("cleared {} keys in {}", count(tally.deleted), span(took.as_secs_f64()));
    let felt = format!("slowest PING {:.1} ms", slowest.as_secs_f64() * 1e3);
    let doubt = match tally.in_doubt {
        0 => String::new(),
        keys => format!(" and perhaps {} more whose answer never came", count(keys)),
    };
    let (kind, says, step) = match end {
        End::Finished => {
            let gone = tally.matched.saturating_sub(tally.deleted);
            let gone =
                if gone > 0 { format!("; {} had gone by themselves", count(gone)) } else { String::new() };
            let back = again(tally.back.unwrap_or_default());
            let says = format!("{done}{gone}{back}; {felt}");
            let kind = if tally.matched == 0 { OutcomeKind::NothingToDo } else { OutcomeKind::Done };
            (kind, says.clone(), StepResult::Done(SafeText::new(&says)))
        }
        End::Stopped => {
            let says = format!(
                "stopped: {done}, {:.0} % of the way; what is cleared stays cleared",
                tally.share * 100.0
            );
            (OutcomeKind::Failed, says.clone(), StepResult::Skipped(SafeText::new(&says)))
        }
        End::Broke(why) => {
            let says = format!("broke off: {why}; before that {done}{doubt}");
            (OutcomeKind::Failed, says.clone(), StepResult::Failed(SafeText::new(&says)))
        }
    };
    Outcome {
        matched: Some(tally.matched),
        deleted: Some(tally.deleted),
        steps: vec![step],
        ..Outcome::new(plan, kind, &says)
    }
}
