//! Rule `disk_pressure`: the fullest file system (share, 0 to 1), and tasks that all stall for disks.

use std::time::Duration;

use super::{Assessment, View};
use crate::model::words::bytes;
use crate::model::{Culprit, Filesystem, HostSample, Resource, SafeText, Severity};
use crate::store::{Rates, Target};

/// Share of time in which every task stalled for I/O.
const STALL_WARNING: f64 = 0.10;
const STALL_CRITICAL: f64 = 0.40;
/// A device is named as busy from here on; one that serves many requests at once may be busy all the
/// time and have room, so it colours nothing by itself.
const BUSY: f64 = 0.70;

/// How every host stands.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    view.store.hosts(view.now).map(|(target, sample)| judge(view, target, sample)).collect()
}

fn judge(view: &View<'_>, target: &Target, sample: &HostSample) -> Assessment {
    let id = &target.info.id;
    let mut it =
        Assessment::new("disk_pressure", Resource::HostDisk, id.clone()).hold(Duration::from_secs(2));
    let window = match &target.window {
        Some(Rates::Host(rates)) => Some(rates),
        _ => None,
    };
    let stalled = window.and_then(|rates| rates.pressure).map(|it| it.io_full);
    let fullest =
        sample.filesystems.iter().filter(|it| it.total > 0).max_by(|a, b| fill(a).total_cmp(&fill(b)));
    let mut says = Vec::new();
    if let Some(share) = stalled.filter(|share| *share >= STALL_WARNING) {
        it = it.at_least(if share >= STALL_CRITICAL { Severity::Critical } else { Severity::Warning });
        says.push(format!("everything waits for disks {:.0} % of the time", share * 100.0));
    }
    if let Some(fullest) = fullest {
        let (entered, kept) = (it.entered, it.kept);
        it = it.measured(fill(fullest), view.limits(Resource::HostDisk, id)).level();
        if it.kept > Severity::Ok {
            it = it.culprit(Culprit::Device { name: fullest.mount.clone() });
        }
        it.entered = it.entered.max(entered);
        it.kept = it.kept.max(kept);
        let left = bytes(fullest.available as f64);
        says.push(format!("{} is {:.0} % full, {left} left", fullest.mount, fill(fullest) * 100.0));
    } else if stalled.is_none() {
        return it.unknown("the disks of this machine cannot be read");
    }
    let busiest = window.and_then(|rates| rates.disks.iter().max_by(|a, b| a.busy.total_cmp(&b.busy)));
    if let Some(disk) = busiest.filter(|disk| disk.busy >= BUSY) {
        says.push(format!("{} busy {:.0} %", disk.name, disk.busy * 100.0));
        if it.culprit.is_none() && it.kept > Severity::Ok {
            it = it.culprit(Culprit::Device { name: SafeText::new(&disk.name) });
        }
    }
    it.used(fullest.map(fill), stalled, None).says(says.join("; "))
}

fn fill(it: &Filesystem) -> f64 {
    1.0 - it.available.min(it.total) as f64 / it.total.max(1) as f64
}
