//! Rule `memory_pressure`: memory in use (share, 0 to 1), and the signs that it is really short: pages
//! that go to swap and come back, tasks that stall for memory, processes killed. Swap that is merely
//! used is no sign.

use std::time::Duration;

use super::{Assessment, View};
use crate::model::words::{self, bytes};
use crate::model::{HostSample, Remedy, Resource, Severity};
use crate::store::{HostRates, Rates, Target};

/// Pages a second to and from swap: a trickle is housekeeping, a stream is pressure.
const SWAP_WARNING: f64 = 10.0;
const SWAP_CRITICAL: f64 = 100.0;
/// Share of time in which every task stalled for memory.
const STALL_WARNING: f64 = 0.01;
const STALL_CRITICAL: f64 = 0.10;
/// File pages read again soon after eviction, a second; with tasks stalling meanwhile it is thrash.
const REFAULTS: f64 = 1_000.0;

/// From this part of the memory on, a process is worth naming.
const CULPRIT: f64 = 0.1;

/// How every host stands.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    view.store.hosts(view.now).map(|(target, sample)| judge(view, target, sample)).collect()
}

fn judge(view: &View<'_>, target: &Target, sample: &HostSample) -> Assessment {
    let id = &target.info.id;
    let it = Assessment::new("memory_pressure", Resource::HostMemory, id.clone());
    let Some(memory) = sample.memory.filter(|memory| memory.total > 0) else {
        return it.unknown("the memory of this machine cannot be read");
    };
    let used = 1.0 - memory.available.min(memory.total) as f64 / memory.total as f64;
    let window = match &target.window {
        Some(Rates::Host(rates)) => Some(rates),
        _ => None,
    };
    let stalled = window.and_then(|rates| rates.pressure).map(|it| it.memory_full);
    let kills = window.and_then(|rates| rates.oom_kills);
    let (worst, signs) = window.map(signs).unwrap_or_default();
    let left = bytes(memory.available as f64);
    let mut says = format!("{:.0} % used, {left} available", used * 100.0);
    let largest = sample.programs.iter().max_by_key(|it| it.largest);
    if let Some(program) = largest.filter(|it| it.largest as f64 >= memory.total as f64 * CULPRIT) {
        says =
            format!("{says}; {} (pid {}) holds {}", program.name, program.pid, bytes(program.largest as f64));
    }
    for sign in signs {
        says = format!("{sign}; {says}");
    }
    let it = it
        .measured(used, view.limits(Resource::HostMemory, id))
        .level()
        .hold(Duration::from_secs(2))
        .at_least(worst)
        .used(Some(used), stalled, kills);
    // The machine itself has enough: who is short was given less than there is.
    let limited = stalled.is_some_and(|part| part >= STALL_WARNING) && used < 0.5;
    if limited {
        return it
            .remedy(Remedy::advice("raise its limit; see whose: systemd-cgtop -m"))
            .says(format!("{says}, so the limit of a service or container holds it"));
    }
    it.says(says)
}

/// `8 000`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is small and no less than 0"
)]
fn number(rate: f64) -> String {
    words::count(rate.max(0.0).round() as u64)
}

/// The signs of real shortage over the last ten seconds, mildest first, and how bad the worst is.
fn signs(rates: &HostRates) -> (Severity, Vec<String>) {
    let mut out = Vec::new();
    let mut worst = Severity::Ok;
    let mut add = |severity: Severity, says: String| {
        worst = worst.max(severity);
        out.push(says);
    };
    let graded = |value: f64, warning: f64, critical: f64| match value {
        value if value >= critical => Some(Severity::Critical),
        value if value >= warning => Some(Severity::Warning),
        _ => None,
    };
    let pressure = rates.pressure.unwrap_or_default();
    if let Some(refaults) = rates.refaults.filter(|it| *it >= REFAULTS && pressure.memory_some >= 0.01) {
        add(
            Severity::Warning,
            format!("{} file pages/s are read again right after they were dropped", number(refaults)),
        );
    }
    if let Some(severity) = graded(pressure.memory_full, STALL_WARNING, STALL_CRITICAL) {
        add(
            severity,
            format!("everything waits for memory {:.0} % of the time", pressure.memory_full * 100.0),
        );
    }
    let swapped = rates.swap_in.unwrap_or(0.0) + rates.swap_out.unwrap_or(0.0);
    if let Some(severity) = graded(swapped, SWAP_WARNING, SWAP_CRITICAL) {
        let (inn, out) = (rates.swap_in.unwrap_or(0.0), rates.swap_out.unwrap_or(0.0));
        add(severity, format!("swapping, {} pages/s in and {} out", number(inn), number(out)));
    }
    if let Some(kills) = rates.oom_kills.filter(|kills| *kills > 0) {
        let what = if kills == 1 { "a process was".into() } else { format!("{kills} processes were") };
        add(Severity::Critical, format!("{what} killed for want of memory"));
    }
    (worst, out)
}
