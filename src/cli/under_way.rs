//! An act under way on the command line: how far it is, what stands behind it, and the operator's hold on it.

use std::io::IsTerminal;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::end::say;
use super::plan_text::{show_beside, show_progress};
use super::signal::{self, Holds};
use crate::model::{Intent, Outcome, Plan};
use crate::shell::behind::{Seen, Watch};
use crate::shell::perform::{Hands, StopFlag};

/// From one line about what stands behind a clear to the next.
const AGAIN: Duration = Duration::from_secs(2);

/// Acts, shows how far it is, and holds it or stops it at the next safe point when asked to.
pub(super) async fn under_way(hands: &Hands, plan: Plan, mut watch: Option<Watch>) -> Outcome {
    let (sink, mut progress) = mpsc::channel(16);
    let stop = StopFlag::default();
    let mut holds = matches!(plan.intent, Intent::ClearNamespace { .. }).then(Holds::listen);
    if let Some(watch) = &watch {
        watch.begin().await;
    }
    let acting = hands.act(plan, sink, stop.clone());
    tokio::pin!(acting);
    let mut screen = Lines { shown: std::io::stderr().is_terminal(), rush: None, told: None };
    let mut held = false;
    loop {
        tokio::select! {
            outcome = &mut acting => return outcome,
            Some(at) = progress.recv() => if screen.shown { show_progress(&at) },
            seen = next(&mut watch) => screen.beside(seen),
            () = hold(&mut holds), if !stop.is_stopped() => {
                held = !held;
                stop.pause(held);
                say(if held { "held: ctrl-z once more goes on, ctrl-c stops it" } else { "goes on" });
            }
            _ = signal::ended(), if !stop.is_stopped() => {
                say("stopping at the next safe point");
                stop.stop();
            }
        }
    }
}

async fn next(watch: &mut Option<Watch>) -> Seen {
    match watch {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}

async fn hold(holds: &mut Option<Holds>) {
    match holds {
        Some(holds) => holds.next().await,
        None => std::future::pending().await,
    }
}

/// What was written so far.
struct Lines {
    /// There is a terminal to show it on; without one only warnings are written.
    shown: bool,
    rush: Option<String>,
    told: Option<(Instant, String)>,
}

impl Lines {
    fn beside(&mut self, seen: Seen) {
        let told = self.told.as_ref();
        let due = told.is_none_or(|(at, says)| at.elapsed() >= AGAIN && *says != seen.says);
        if self.shown && due {
            show_beside(&seen.says);
            self.told = Some((Instant::now(), seen.says));
        }
        match (&self.rush, &seen.rush) {
            (None, Some(rush)) => say(&format!("! {rush}. ctrl-z holds the clear, ctrl-c stops it")),
            (Some(_), None) => say("the stampede is over"),
            _ => {}
        }
        self.rush = seen.rush;
    }
}
