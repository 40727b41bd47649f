//! What is said of a clear: before it, while it goes on, and after it.

use std::time::Duration;

use super::guard::Guard;
use super::preview::Preview;
use super::probe::Probe;
use super::server::Facts;
use super::tally::{Back, End, Tally};
use crate::model::words::{bytes, count, span};
use crate::model::{
    Clearing, Namespace, Outcome, OutcomeKind, Pace, Plan, PlanLine, SafeText, StepResult, Way,
};

/// A clear of more than this share of the keys is warned of.
pub(in crate::actions) const MOST: f64 = 0.5;

/// What it would touch.
pub(in crate::actions) fn lines(namespace: &Namespace, how: &Clearing, preview: &Preview) -> Vec<PlanLine> {
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
    let mut only = Vec::new();
    only.extend(how.only_type.as_ref().map(|kind| format!("of type {kind}")));
    only.extend(how.older_than.map(|seconds| format!("not used for {}", span(seconds as f64))));
    if !only.is_empty() {
        lines.push(PlanLine::new("only", &format!("those {}", only.join(" and "))));
    }
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
    if let Some((least, middle, most)) = preview.idle {
        let unused = if most < 1.0 {
            "for less than a second".to_owned()
        } else {
            format!("for {} to {}, half of them over {}", span(least), span(most), span(middle))
        };
        lines.push(PlanLine::new("unused", &unused));
    }
    if let Some(mean) = preview.mean_bytes {
        lines.push(PlanLine::new("frees", &format!("about {}", bytes(mean * keys as f64))));
    }
    // A gentle clear goes about as fast as a look, and removing a key costs as much as looking at two.
    let share = if how.pace == Pace::Full { 1.6 } else { 1.0 };
    let work = preview.total as f64 + 2.0 * keys as f64;
    let takes = work / (preview.pace.max(1.0) * share);
    let pace = if how.pace == Pace::Full { "at full pace, which others feel" } else { "at a gentle pace" };
    let takes = format!("about {} {pace}; it can be paused and stopped", span(takes.max(0.01)));
    lines.push(PlanLine::new("takes", &takes));
    lines
}

fn shorten(key: &str) -> String {
    let mut head: String = key.chars().take(40).collect();
    if head.len() < key.len() {
        head.push('…');
    }
    head
}

/// What to beware of.
pub(in crate::actions) fn warnings(guard: &Guard, facts: &Facts, preview: &Preview) -> Vec<SafeText> {
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
    if facts.masters > 1 {
        warn(&format!("its keys lie on {} masters, which are cleared one after another", facts.masters));
    }
    if facts.replicas > 0 {
        let follow = if facts.replicas == 1 { "replica follows" } else { "replicas follow" };
        warn(&format!("{} {follow} every removal", facts.replicas));
    }
    if facts.appends {
        warn("the append-only file grows by every removal");
    }
    out
}

/// How far it is.
pub(in crate::actions) fn running(tally: &Tally, plan: &Plan, took: Duration, probe: &Probe) -> SafeText {
    let pace = tally.deleted as f64 / took.as_secs_f64().max(1e-3);
    let phase = match (tally.held, tally.back, tally.braked) {
        (Some(why), ..) => format!("; held: {why}"),
        (None, Some(_), _) => "; looking once more".into(),
        (None, None, true) => "; slowed down, others feel it".into(),
        (None, None, false) => String::new(),
    };
    let hits =
        probe.hit_ratio().map_or(String::new(), |it| format!(", {:.0} % of lookups hit since", it * 100.0));
    SafeText::new(&format!(
        "{} of about {} keys, {pace:.0}/s, slowest PING {:.1} ms{hits}{phase}",
        count(tally.deleted),
        count(plan.touches.max(tally.matched)),
        probe.slowest().as_secs_f64() * 1e3
    ))
}

/// What others felt of it.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::actions) struct Felt {
    /// The slowest PING.
    pub slowest: Duration,
    /// Share of lookups that hit meanwhile, on the server cleared last.
    pub hit_ratio: Option<f64>,
}

/// What came of it, however it ended: what was done is told with every end.
pub(in crate::actions) fn outcome(
    plan: &Plan,
    how: &Clearing,
    (end, tally): &(End, Tally),
    took: Duration,
    felt: Felt,
) -> Outcome {
    let keys = count(tally.deleted);
    let done = match how.way {
        Way::Expire { over_ms } => format!("{keys} keys expire within {}", span(over_ms as f64 / 1e3)),
        Way::Remove | Way::Renew => format!("cleared {keys} keys"),
    };
    let done = format!("{done} in {}", span(took.as_secs_f64()));
    let hits =
        felt.hit_ratio.map_or(String::new(), |it| format!("; {:.0} % of lookups hit meanwhile", it * 100.0));
    let slowest = format!("slowest PING {:.1} ms{hits}", felt.slowest.as_secs_f64() * 1e3);
    let doubt = match tally.in_doubt {
        0 => String::new(),
        keys => format!(" and perhaps {} more whose answer never came", count(keys)),
    };
    let mut stopped = false;
    let (kind, says, step) = match end {
        End::Finished => {
            let says =
                format!("{done}{}{}{}; {slowest}", rest(how, tally), again(tally.back), unheard(tally));
            let kind = if tally.matched == 0 { OutcomeKind::NothingToDo } else { OutcomeKind::Done };
            (kind, says.clone(), StepResult::Done(SafeText::new(&says)))
        }
        End::Stopped => {
            stopped = true;
            let says = format!(
                "stopped by the operator after {keys} of about {} keys, {:.0} % of the way: {done}{doubt}; \
                 what is done stays done",
                count(plan.touches.max(tally.matched)),
                tally.share * 100.0
            );
            (OutcomeKind::Failed, says.clone(), StepResult::Skipped(SafeText::new(&says)))
        }
        End::Broke(why) => {
            let says = format!("broke off: {why}; before that {done}{doubt}");
            (OutcomeKind::Failed, says.clone(), StepResult::Failed(SafeText::new(&says)))
        }
    };
    let expires = matches!(how.way, Way::Expire { .. });
    Outcome {
        matched: Some(tally.matched),
        deleted: Some(if expires { 0 } else { tally.deleted }),
        expiring: expires.then_some(tally.deleted),
        stopped,
        hit_ratio: felt.hit_ratio,
        steps: vec![step],
        ..Outcome::new(plan.id.clone(), kind, &says)
    }
}

/// Keys that were found and not touched.
fn rest(how: &Clearing, tally: &Tally) -> String {
    match (tally.matched.saturating_sub(tally.deleted), how.way) {
        (0, _) => String::new(),
        (keys, Way::Expire { .. }) => format!("; {} would have sooner anyhow", count(keys)),
        (keys, _) => format!("; {} had gone by themselves", count(keys)),
    }
}

/// What the second look found, and how far it looked.
fn again(back: Option<Back>) -> String {
    match back.map(|back| (back.keys, back.among)) {
        None => String::new(),
        Some((0, None)) => "; none is left".into(),
        Some((0, Some(among))) => format!("; none is left among {} keys looked at again", count(among)),
        Some((keys, None)) => format!("; {} came back since", count(keys)),
        Some((keys, Some(among))) => {
            format!("; {} of {} keys looked at again came back since", count(keys), count(among))
        }
    }
}

/// Replicas that may have the keys still.
fn unheard(tally: &Tally) -> String {
    match tally.unheard {
        0 => String::new(),
        unheard => format!("; {unheard} of {} replicas have not heard of it yet", tally.replicas),
    }
}
