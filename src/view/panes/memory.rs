//! 4: memory: what is used, swap traffic, pressure; beside it disks and network, which slow a machine the same way.

use super::cpu::{hosts, machines};
use super::crowd::Member;
use super::{Entry, Scene, Shape, with};
use crate::model::{HostSample, Memory, Resource, Sample, Severity};
use crate::store::{HostRates, Metric, Target};
use crate::view::format;
use crate::view::widgets::Scale;

/// Used, swap traffic, left, fullest disk.
pub(super) const SHAPES: (u16, &[Shape]) =
    (8, &[Shape::judged(5, 0), Shape::judged(12, 1), Shape::plain(11, 2), Shape::judged(10, 3)]);

/// Pages a second from which swap traffic is what is bad, and the used share under which filling is not.
const SWAPPING: f64 = 10.0;
const FULL: f64 = 0.63;

/// One entry a machine.
pub(super) fn entries(scene: &Scene<'_>) -> Vec<Entry> {
    hosts(scene, entry)
}

/// Every machine's used share.
pub(super) fn shares(scene: &Scene<'_>) -> impl Iterator<Item = Member> {
    machines(scene).map(|target| Member {
        heard: target.fresh(scene.now).is_some(),
        share: used_of(target),
        severity: scene.severity(Resource::HostMemory, &target.info.id),
    })
}

/// The used share of a machine's memory, as it was told last.
pub(in crate::view) fn used_of(target: &Target) -> Option<f64> {
    match target.sample.as_ref().map(|sample| &sample.it) {
        Some(Sample::Host(sample)) => sample.memory.and_then(used),
        _ => None,
    }
}

fn used(memory: Memory) -> Option<f64> {
    (memory.total > 0).then(|| 1.0 - memory.available as f64 / memory.total as f64)
}

fn entry(scene: &Scene<'_>, target: &Target, sample: &HostSample) -> Entry {
    let id = &target.info.id;
    let rates = target.host_rates();
    let memory = sample.memory.filter(|memory| memory.total > 0);
    let used = memory.and_then(used);
    let pressure = rates.and_then(|rates| rates.pressure);
    let filled = |disk: &crate::model::Filesystem| 1.0 - disk.available as f64 / disk.total as f64;
    let disk = sample
        .filesystems
        .iter()
        .filter(|disk| disk.total > 0)
        .map(|disk| (filled(disk), &disk.mount))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let disk_severity = scene.severity(Resource::HostDisk, id);
    let network = scene.severity(Resource::HostNetwork, id);
    let again = rates.and_then(|rates| rates.retransmits);
    let left = memory.map(|memory| memory.available as f64);
    let swap = rates.and_then(HostRates::swap_traffic);
    // What is bad about it: that it is full, that it swaps, or both.
    let judged = scene.severity(Resource::HostMemory, id);
    let swaps = swap.is_some_and(|swap| swap >= SWAPPING);
    let traffic = if swaps { judged } else { Severity::Ok };
    let fill = if swaps && used.is_some_and(|used| used < FULL) { Severity::Ok } else { judged };
    Entry::of(id.as_str(), target, scene)
        .weigh(used)
        .field(format::maybe(used, format::share), fill)
        .field(format!("swap {}", format::maybe(swap, format::rate)), traffic)
        .plain(format!("{} left", format::maybe(left, format::bytes)))
        .field(format!("disk {}", format::maybe(disk.map(|disk| disk.0), format::share)), disk_severity)
        .note(with("psi", pressure.map(|psi| psi.memory_some), format::share))
        .bad_note(disk.map(|(fill, mount)| format!("disk {} {mount}", format::share(fill))), disk_severity)
        .note(with("psi io", pressure.map(|psi| psi.io_some), format::share))
        .bad_note(again.map(|share| format!("tcp resent {}", format::share(share))), network)
        .note(with("refault", rates.and_then(|rates| rates.refaults), format::rate))
        .course("used", id, Metric::Resource(Resource::HostMemory), Scale::Fixed(1.0))
}
