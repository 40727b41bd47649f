//! All targets at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::watch::{Clock, Outlet, watch};
use crate::config::TargetSpec;
use crate::model::{At, Fact};
use crate::sources::KINDS;

/// Readings that may wait to be taken in: a fleet's answer of some thousand machines.
const ROOM: usize = 8_192;

/// Up to so many targets are asked at once in the beginning; more begin one after the other.
const FEW: u32 = 64;
/// Time over which they begin.
const SPREAD: Duration = Duration::from_secs(2);

/// The running polls. Dropping it ends them and closes their connections.
#[derive(Debug)]
pub struct Live {
    facts: mpsc::Receiver<At<Fact>>,
    outlet: Outlet,
    told: u64,
    /// Dropped to end the thread.
    _end: oneshot::Sender<()>,
}

impl Live {
    /// The name of the thread that polls: a panic there is a failed reading, not the console's end.
    pub const THREAD: &'static str = "polls";

    /// Begins to poll these targets, each at once; very many within two seconds.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(specs: Vec<TargetSpec>, clock: Clock) -> std::io::Result<Self> {
        let (sender, facts) = mpsc::channel(ROOM);
        let outlet = Outlet { facts: sender, lost: Arc::default(), poke: Arc::default() };
        let (end, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let theirs = outlet.clone();
        std::thread::Builder::new().name(Self::THREAD.into()).stack_size(1 << 20).spawn(move || {
            runtime.block_on(async move {
                let many = u32::try_from(specs.len()).unwrap_or(u32::MAX);
                for (n, spec) in (0u32..).zip(specs) {
                    let kind = KINDS.iter().find(|kind| kind.name == spec.kind);
                    // Hundreds that answer in the same moment would need the memory for all their answers.
                    let lead = if many > FEW { spec.every.min(SPREAD) * n / many } else { Duration::ZERO };
                    // From the second on they come evenly, so that half of the answers are never old.
                    let later = if many > FEW { spec.every * n / many } else { Duration::ZERO };
                    let later = later.saturating_sub(lead);
                    let outlet = theirs.clone();
                    tokio::spawn(async move {
                        sleep(lead).await;
                        watch(spec, kind, outlet, clock, later).await;
                    });
                }
                drop(theirs);
                ended.await.ok();
            });
            // A source may be inside a blocking call; nobody waits for it.
            runtime.shutdown_background();
        })?;
        Ok(Self { facts, outlet, told: 0, _end: end })
    }

    /// The next reading; may be dropped at any time without losing one.
    pub async fn next(&mut self) -> Option<At<Fact>> {
        self.facts.recv().await
    }

    /// A reading that is there already.
    pub fn ready(&mut self) -> Option<At<Fact>> {
        self.facts.try_recv().ok()
    }

    /// Polls every target now.
    pub fn poll_now(&self) {
        self.outlet.poke.notify_waiters();
    }

    /// Readings dropped since the last call.
    pub fn lost(&mut self) -> u64 {
        let all = self.outlet.lost.load(Ordering::Relaxed);
        all - std::mem::replace(&mut self.told, all)
    }
}
