//! What every action must be able to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use crate::journal::Intended;
use crate::model::{Intent, Outcome, Plan, Progress, Refusal};

/// Where a long act tells how far it is. Progress may be dropped when nobody reads; outcomes never are.
pub type ProgressSink = mpsc::Sender<Progress>;

/// One thing warroom can do to a target.
pub trait Action: Send + Sync {
    /// Makes ready what may be out of reach once it is needed: a session on a server that fills up. Reads only;
    /// called again and again while a console is open.
    fn stand_ready(&self) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(async { Ok(()) })
    }

    /// Finds out, by reading only, what the intent would touch.
    fn plan<'a>(&'a self, intent: &'a Intent) -> BoxFuture<'a, Result<Plan, Refusal>>;

    /// Does it, verifies it and tells what came of it. Takes proof that the intent is on disk.
    fn act<'a>(
        &'a self,
        intended: &'a Intended,
        progress: ProgressSink,
        stop: StopFlag,
    ) -> BoxFuture<'a, Outcome>;
}

/// An action that is over within seconds: it tells no progress, is not held, and ends at whatever refuses.
pub(super) trait BriefAction: Send + Sync {
    /// Makes ready what may be out of reach once it is needed, as [`Action::stand_ready`].
    fn stand_ready(&self) -> impl Future<Output = Result<(), Refusal>> + Send {
        async { Ok(()) }
    }

    /// What the intent would touch, as [`Action::plan`].
    fn planned(&self, intent: &Intent) -> impl Future<Output = Result<Plan, Refusal>> + Send;

    /// Does it, as [`Action::act`]; a refusal is the outcome.
    fn carried_out(&self, intended: &Intended) -> impl Future<Output = Result<Outcome, Refusal>> + Send;
}

impl<A: BriefAction> Action for A {
    fn stand_ready(&self) -> BoxFuture<'_, Result<(), Refusal>> {
        Box::pin(BriefAction::stand_ready(self))
    }

    fn plan<'a>(&'a self, intent: &'a Intent) -> BoxFuture<'a, Result<Plan, Refusal>> {
        Box::pin(self.planned(intent))
    }

    fn act<'a>(
        &'a self,
        intended: &'a Intended,
        _progress: ProgressSink,
        _stop: StopFlag,
    ) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let done = self.carried_out(intended).await;
            done.unwrap_or_else(|refusal| refusal.ends(&intended.plan().id))
        })
    }
}

/// How the operator holds a running act: go on, pause, stop.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<Held>);

#[derive(Debug, Default)]
struct Held {
    state: AtomicU8,
    hurried: AtomicBool,
}

impl StopFlag {
    const PAUSED: u8 = 1;
    const STOPPED: u8 = 2;

    /// Ends the act at the next safe point; what is done stays done.
    pub fn stop(&self) {
        self.0.state.store(Self::STOPPED, Ordering::Relaxed);
    }

    /// Holds the act, or lets it go on; a stopped act stays stopped.
    pub fn pause(&self, paused: bool) {
        let (from, to) = if paused { (0, Self::PAUSED) } else { (Self::PAUSED, 0) };
        // Losing the race means it was stopped or already so: both are what was wanted.
        self.0.state.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).ok();
    }

    /// Asks for full pace, whatever others feel; or no longer.
    pub fn hurry(&self, full: bool) {
        self.0.hurried.store(full, Ordering::Relaxed);
    }

    /// Whether full pace was asked for while it runs.
    #[must_use]
    pub fn is_hurried(&self) -> bool {
        self.0.hurried.load(Ordering::Relaxed)
    }

    /// Whether it should end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.state.load(Ordering::Relaxed) == Self::STOPPED
    }

    /// Whether it should wait.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.0.state.load(Ordering::Relaxed) == Self::PAUSED
    }
}
