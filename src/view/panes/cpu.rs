//! 3: processors: busy, run queue, iowait, steal, pressure.

use super::crowd::Member;
use super::entry::trouble;
use super::{Entry, Scene, Shape, with};
use crate::model::{HostSample, MACHINE_KINDS, Resource, Sample, words};
use crate::store::{Metric, Target, TargetState};
use crate::view::format;
use crate::view::widgets::Scale;

/// Busy, run queue, iowait, steal.
pub(super) const SHAPES: (u16, &[Shape]) =
    (8, &[Shape::judged(5, 0), Shape::plain(8, 1), Shape::plain(10, 2), Shape::plain(11, 3)]);

/// One entry a machine.
pub(super) fn entries(scene: &Scene<'_>) -> Vec<Entry> {
    hosts(scene, entry)
}

/// Every machine's busy share.
pub(super) fn shares(scene: &Scene<'_>) -> impl Iterator<Item = Member> {
    machines(scene).map(|target| Member {
        heard: target.state(scene.now) == TargetState::Up,
        share: target.host_rates().and_then(|rates| rates.cpu).map(|cpu| cpu.busy),
        severity: scene.severity(Resource::HostCpu, &target.info.id),
    })
}

/// Every machine, also one that has not answered.
pub(in crate::view) fn machines<'a>(scene: &'a Scene<'_>) -> impl Iterator<Item = &'a Target> {
    scene.world.store.targets().iter().map(|target| &**target).filter(|target| {
        let many = matches!(target.sample.as_ref().map(|sample| &sample.it), Some(Sample::Fleet(_)));
        MACHINE_KINDS.contains(&target.info.kind.as_str()) && !many
    })
}

/// One entry a machine, made by `entry`.
pub(super) fn hosts(scene: &Scene<'_>, entry: fn(&Scene<'_>, &Target, &HostSample) -> Entry) -> Vec<Entry> {
    let mut out = Vec::new();
    for target in machines(scene) {
        match target.sample.as_ref().map(|sample| &sample.it) {
            Some(Sample::Host(sample)) => {
                out.push(trouble(target, scene).unwrap_or_else(|| entry(scene, target, sample)));
            }
            _ => out.extend(trouble(target, scene)),
        }
    }
    out
}

fn entry(scene: &Scene<'_>, target: &Target, sample: &HostSample) -> Entry {
    let id = &target.info.id;
    let rates = target.host_rates();
    let cpu = rates.and_then(|rates| rates.cpu);
    let busy = cpu.map(|cpu| cpu.busy);
    let pressure = rates.and_then(|rates| rates.pressure);
    let load = |[one, five, _]: [f64; 3]| format!("load {} {}", format::number(one), format::number(five));
    Entry::of(id.as_str(), target, scene)
        .weigh(busy)
        .field(format::maybe(busy, format::share), scene.severity(Resource::HostCpu, id))
        .plain(format!("run {}", format::maybe(sample.run_queue.map(f64::from), format::count)))
        .plain(format!("iow {}", format::maybe(cpu.map(|cpu| cpu.iowait), format::share)))
        .plain(format!("steal {}", format::maybe(cpu.map(|cpu| cpu.steal), format::share)))
        .note(cpu.map(|cpu| format!("usr {} sys {}", format::share(cpu.user), format::share(cpu.system))))
        .note(with("psi", pressure.map(|psi| psi.cpu_some), format::share))
        .note(sample.load.map(load))
        .note((sample.cores > 0).then(|| words::many(u64::from(sample.cores), "core", "cores")))
        .course("busy", id, Metric::Resource(Resource::HostCpu), Scale::Fixed(1.0))
}
