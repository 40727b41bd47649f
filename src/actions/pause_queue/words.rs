//! What a plan and its outcome say. Pure.

use super::Wish;
use crate::actions::plan_id;
use crate::model::words::{count, many, span};
use crate::model::{Confirm, Intent, Plan, PlanLine, QueueChange, Refusal, SafeText, TargetId, Timestamp};

/// What was found out about the queue, or all of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// The server's clock.
    pub(super) at: Timestamp,
    /// What tells this server and this switch from any other.
    pub(super) identity: String,
    /// It is paused already.
    pub(super) paused: bool,
    /// For how long, seconds, where that is noted.
    pub(super) paused_for: Option<f64>,
    /// The pause ends by itself after so many seconds.
    pub(super) ends_in: Option<f64>,
    /// Queues it is about.
    pub(super) queues: Vec<String>,
    /// Jobs waiting in them.
    pub(super) waiting: u64,
    /// Jobs under way.
    pub(super) under_way: u64,
    /// Workers, where they are told.
    pub(super) workers: Option<u64>,
    /// What to beware of with this library.
    pub(super) beware: Option<&'static str>,
}

/// The plan, or that there is nothing to do.
pub(super) fn plan(target: &TargetId, wish: Wish<'_>, found: &Found) -> Result<Plan, Refusal> {
    let name = wish.queue.map_or_else(|| "all queues".to_owned(), str::to_owned);
    match (wish.to, found.paused) {
        (QueueChange::Pause, true) => {
            return Err(Refusal::nothing_to_do(&format!("{name} of {target}: paused already")));
        }
        (QueueChange::Resume, false) => {
            return Err(Refusal::nothing_to_do(&format!("{name} of {target}: not paused")));
        }
        _ => {}
    }
    let intent = |to| Intent::PauseQueue { target: target.clone(), queue: wish.queue.map(str::to_owned), to };
    let back = match wish.to {
        QueueChange::Pause => QueueChange::Resume,
        QueueChange::Resume => QueueChange::Pause,
    };
    let heading = match wish.to {
        QueueChange::Pause => "Pause",
        QueueChange::Resume => "Resume",
    };
    let many = wish.to == QueueChange::Pause && wish.queue.is_none() && found.queues.len() > 1;
    Ok(Plan {
        id: plan_id(found.at),
        intent: intent(wish.to),
        read_at: found.at,
        title: SafeText::new(&format!("{heading} {name} of {target}")),
        lines: lines(wish, found, &intent(back)),
        warnings: warnings(wish, found),
        gentler: None,
        verb: SafeText::new(&format!(
            "{} {}",
            wish.to.word(),
            if wish.queue.is_some() { "it" } else { "them" }
        )),
        confirm: if many { Confirm::Name(target.to_string()) } else { Confirm::Key },
        touches: if wish.queue.is_some() { 1 } else { found.queues.len() as u64 },
        frees: None,
        identity: found.identity.clone(),
    })
}

/// What it touches; `back` undoes it.
fn lines(wish: Wish<'_>, found: &Found, back: &Intent) -> Vec<PlanLine> {
    let mut lines = vec![PlanLine::new("queue", &queues(wish, found))];
    lines.push(PlanLine::new(
        "jobs",
        &format!("{} waiting, {} under way", count(found.waiting), count(found.under_way)),
    ));
    if let Some(workers) = found.workers {
        lines.push(PlanLine::new("workers", &count(workers)));
    }
    if let Some(since) = found.paused_for {
        lines.push(PlanLine::new("paused", &format!("for {}", span(since))));
    }
    lines.push(PlanLine::new(
        "then",
        match wish.to {
            QueueChange::Pause => {
                "no worker takes another job; what is under way is finished, what comes in waits"
            }
            QueueChange::Resume => "workers take its jobs again, the oldest first",
        },
    ));
    lines.push(PlanLine::new(
        "lasts",
        &match (wish.to, found.ends_in) {
            (QueueChange::Pause, _) => "until it is resumed".to_owned(),
            (QueueChange::Resume, Some(left)) => format!("the pause would end by itself in {}", span(left)),
            (QueueChange::Resume, None) => "the pause would not end by itself".to_owned(),
        },
    ));
    lines.push(PlanLine::new("undo", &back.command_line()));
    lines
}

fn warnings(wish: Wish<'_>, found: &Found) -> Vec<SafeText> {
    let mut warnings = Vec::new();
    if wish.to == QueueChange::Pause {
        if wish.queue.is_none() && found.queues.len() > 1 {
            warnings.push(SafeText::new(
                "one switch for all: every queue of this target is held, whoever serves it",
            ));
        }
        warnings.extend(found.beware.map(SafeText::new));
    } else if found.waiting > 1_000 {
        warnings.push(SafeText::new("what piled up comes at once: look at what its jobs lean on"));
    }
    warnings
}

/// What was done, as it was read back.
pub(super) fn done(wish: Wish<'_>, found: &Found) -> String {
    let name = wish.queue.map_or_else(|| "all queues".to_owned(), str::to_owned);
    let waiting = many(found.waiting, "job waits", "jobs wait");
    match (wish.to, found.under_way) {
        (QueueChange::Pause, 0) => format!("{name} paused; {waiting}, none is under way"),
        (QueueChange::Pause, some) => format!("{name} paused; {waiting}, {} still under way", count(some)),
        (QueueChange::Resume, _) => format!("{name} resumed; {waiting}"),
    }
}

fn queues(wish: Wish<'_>, found: &Found) -> String {
    const SHOWN: usize = 6;
    if let Some(queue) = wish.queue {
        return queue.to_owned();
    }
    let mut shown = found.queues.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if found.queues.len() > SHOWN {
        shown = format!("{shown} and {} more", found.queues.len() - SHOWN);
    }
    if shown.is_empty() { "all, though none is known yet".into() } else { format!("all: {shown}") }
}
