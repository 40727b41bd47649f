//! One target, asked for ever.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Duration, Instant, sleep_until, timeout};

use super::backoff::Backoff;
use crate::config::TargetSpec;
use crate::model::{At, Fact, Millis, PollError, PollErrorKind, Reading, Timestamp};
use crate::sources::{Kind, Source};

/// Tells the time; handed in so that only one place reads the clock.
pub type Clock = fn() -> Timestamp;

/// Where readings go. When nobody takes them in time they are dropped and counted, never piled up.
#[derive(Clone, Debug)]
pub struct Outlet {
    /// The bounded channel.
    pub facts: mpsc::Sender<At<Fact>>,
    /// Readings dropped because the channel was full.
    pub lost: Arc<AtomicU64>,
    /// Wakes every target for a poll out of turn.
    pub poke: Arc<Notify>,
}

impl Outlet {
    fn send(&self, clock: Clock, reading: Reading) -> bool {
        match self.facts.try_send(At { at: clock(), it: Fact::Reading(reading) }) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }
}

/// Asks one target for as long as somebody listens. A source that cannot be made, hangs, fails or even
/// panics gives failed readings; it never ends the task and never delays another. The first two polls are
/// `later` further apart than the others.
pub(super) async fn watch(
    spec: TargetSpec,
    kind: Option<&'static Kind>,
    outlet: Outlet,
    clock: Clock,
    mut later: Duration,
) {
    let mut backoff = Backoff::new(spec.id.as_str());
    let mut source: Option<Box<dyn Source>> = None;
    loop {
        let began = Instant::now();
        let readings = ask(&spec, kind, &mut source, began).await;
        // One machine of a fleet that is down is no reason to ask for the others less often.
        let failed =
            readings.iter().any(|reading| reading.sample.is_err() && reading.target.row_name().is_none());
        for reading in readings {
            if !outlet.send(clock, reading) {
                return;
            }
        }
        let next = if failed {
            Instant::now() + backoff.failed(spec.every)
        } else {
            backoff.answered();
            next_tick(began, Instant::now(), spec.every)
        };
        let next = next + std::mem::take(&mut later);
        tokio::select! {
            () = sleep_until(next) => {}
            () = outlet.poke.notified() => {}
        }
    }
}

/// The next tick of the grid that began at `began`; ticks that have passed are skipped, not made up for.
fn next_tick(began: Instant, now: Instant, every: Duration) -> Instant {
    let every = every.max(Duration::from_millis(50));
    let gone = now.duration_since(began).as_nanos() / every.as_nanos();
    let ticks = u32::try_from(gone).unwrap_or(u32::MAX - 1) + 1;
    began + every.saturating_mul(ticks)
}

async fn ask(
    spec: &TargetSpec,
    kind: Option<&'static Kind>,
    slot: &mut Option<Box<dyn Source>>,
    began: Instant,
) -> Vec<Reading> {
    let fail = |error| {
        let took = Millis::from(began.elapsed());
        vec![Reading { target: spec.id.clone(), took, sample: Err(error) }]
    };
    if slot.is_none() {
        match make(spec, kind) {
            Ok(made) => *slot = Some(made),
            Err(why) => return fail(PollError::new(PollErrorKind::Config, &why)),
        }
    }
    let Some(source) = slot.as_mut() else { return Vec::new() };
    match timeout(spec.timeout, AssertUnwindSafe(source.poll()).catch_unwind()).await {
        Ok(Ok(readings)) => readings,
        Ok(Err(_)) => {
            *slot = None;
            fail(PollError::new(
                PollErrorKind::Garbage,
                "its answer broke the source that reads it; please report this",
            ))
        }
        Err(_) => fail(PollError::silent(spec.timeout)),
    }
}

fn make(spec: &TargetSpec, kind: Option<&'static Kind>) -> Result<Box<dyn Source>, String> {
    if let Some(why) = &spec.broken {
        return Err(why.clone());
    }
    match kind {
        Some(kind) => (kind.build)(spec),
        None => Err(format!("there is no kind {:?}", spec.kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HostSample, Sample, TargetId};
    use crate::sources::BoxFuture;

    struct Fake(&'static str, TargetId);

    impl Source for Fake {
        fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
            Box::pin(async {
                match self.0 {
                    "hang" => std::future::pending().await,
                    "panic" => panic!("a bad answer"),
                    _ => vec![Reading {
                        target: self.1.clone(),
                        took: Millis(1.0),
                        sample: Ok(Sample::Host(Box::<HostSample>::default())),
                    }],
                }
            })
        }
    }

    fn build(spec: &TargetSpec) -> Result<Box<dyn Source>, String> {
        let name = match spec.id.as_str() {
            "hang" => "hang",
            "panic" => "panic",
            "never" => return Err("no url".into()),
            _ => "well",
        };
        Ok(Box::new(Fake(name, spec.id.clone())))
    }

    static KIND: Kind =
        Kind { name: "fake", says: "a fake", build, doctor: |_| Box::pin(async { Vec::new() }) };

    fn start(ids: &[&str], room: usize, later: u64) -> (mpsc::Receiver<At<Fact>>, Outlet) {
        let (facts, receiver) = mpsc::channel(room);
        let outlet = Outlet { facts, lost: Arc::default(), poke: Arc::default() };
        for id in ids {
            let spec = TargetSpec::new(TargetId::parse(id).expect("legal"), "fake");
            let clock = || Timestamp::from_micros(1);
            tokio::spawn(watch(spec, Some(&KIND), outlet.clone(), clock, Duration::from_millis(later)));
        }
        (receiver, outlet)
    }

    #[tokio::test(start_paused = true)]
    async fn a_hung_or_broken_target_costs_the_others_nothing() {
        let (mut facts, _outlet) = start(&["hang", "panic", "never", "well"], 1_000, 0);
        let began = Instant::now();
        let (mut well, mut kinds) = (0, std::collections::BTreeSet::new());
        while well < 20 {
            let Some(At { it: Fact::Reading(reading), .. }) = facts.recv().await else { continue };
            match reading.sample {
                Ok(_) => well += 1,
                Err(error) => {
                    kinds.insert((reading.target.to_string(), error.kind.to_string()));
                }
            }
        }
        assert_eq!(began.elapsed().as_secs(), 19, "twenty polls at one a second, the first at once");
        let told: Vec<_> = kinds.iter().map(|(id, kind)| format!("{id}: {kind}")).collect();
        assert_eq!(told, ["hang: no answer in time", "never: wrongly configured", "panic: answers garbage"]);
    }

    #[tokio::test(start_paused = true)]
    async fn readings_nobody_takes_are_dropped_and_counted() {
        let (mut facts, outlet) = start(&["well"], 2, 0);
        tokio::time::sleep(Duration::from_millis(10_500)).await;
        assert_eq!(outlet.lost.load(Ordering::Relaxed), 9);
        assert!(facts.recv().await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_finds_its_places_between_the_first_two_polls() {
        let (mut facts, _outlet) = start(&["well"], 10, 600);
        let began = Instant::now();
        let mut seen = Vec::new();
        while seen.len() < 4 {
            facts.recv().await.expect("a poll");
            seen.push(began.elapsed().as_millis());
        }
        assert_eq!(seen, [0, 1_600, 2_600, 3_600]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_poke_polls_at_once() {
        let (mut facts, outlet) = start(&["well"], 10, 0);
        facts.recv().await.expect("the first poll");
        let began = Instant::now();
        tokio::time::sleep(Duration::from_millis(10)).await;
        outlet.poke.notify_waiters();
        facts.recv().await.expect("the second poll");
        assert_eq!(began.elapsed().as_millis(), 10);
    }

    #[test]
    fn ticks_that_passed_are_skipped() {
        let began = Instant::now();
        let second = Duration::from_secs(1);
        let tick = |gone: u64| next_tick(began, began + Duration::from_millis(gone), second) - began;
        assert_eq!((tick(3), tick(1_000), tick(3_700)), (second, second * 2, second * 4));
    }
}
