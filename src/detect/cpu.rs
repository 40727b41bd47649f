//! Rule `cpu_busy`: share of all cores that is busy, held for three polls. Unit: share, 0 to 1.

use super::{Assessment, View};
use crate::model::words::many;
use crate::model::{HostSample, Resource};
use crate::store::{HostRates, Target};

/// From here on a share is worth naming beside the busy one.
const WORTH_NAMING: f64 = 0.05;
/// From this part of all processors on, a program is worth naming.
const CULPRIT: f64 = 0.15;

/// How every host stands.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    view.store.hosts(view.now).map(|(target, sample)| judge(view, target, sample)).collect()
}

fn judge(view: &View<'_>, target: &Target, sample: &HostSample) -> Assessment {
    let id = &target.info.id;
    let cores = f64::from(sample.cores.max(1));
    let waiting = sample.run_queue.map(|running| (f64::from(running) - cores).max(0.0));
    let it = Assessment::new("cpu_busy", Resource::HostCpu, id.clone());
    let Some((rates, cpu)) = target.host_rates().and_then(|rates| Some((rates, rates.cpu?))) else {
        if sample.cpu.is_none() {
            return it.unknown("the processor times of this machine cannot be read");
        }
        return it.used(None, waiting, None).says("measured from the second poll on");
    };
    it.measured(cpu.busy, view.limits(Resource::HostCpu, id))
        // Three polls span two intervals.
        .hold(target.info.every * 2)
        .used(Some(cpu.busy), waiting, None)
        .says(says(rates, sample, &cpu))
}

/// `rustc ×2 take 1.8 cores`: the program that takes most, if it takes a good part.
fn culprit(sample: &HostSample) -> Option<String> {
    let program = sample.programs.iter().max_by(|a, b| a.cores.total_cmp(&b.cores))?;
    let worth = program.cores >= f64::from(sample.cores.max(1)) * CULPRIT;
    let take = if program.processes <= 1 { "takes" } else { "take" };
    worth.then(|| format!("{} {take} {:.1} cores", program.called(), program.cores))
}

fn says(rates: &HostRates, sample: &HostSample, cpu: &crate::store::CpuShares) -> String {
    let modes = [("user", cpu.user), ("system", cpu.system), ("stolen by the hypervisor", cpu.steal)];
    let named: Vec<String> = modes
        .iter()
        .filter(|(_, share)| *share >= WORTH_NAMING)
        .map(|(name, share)| format!("{:.0} {name}", share * 100.0))
        .collect();
    let named = if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) };
    let mut parts = vec![format!("{:.0} % busy{named}", cpu.busy * 100.0)];
    parts.extend(culprit(sample));
    // As many as there are cores, or fewer, wait for nobody.
    let enough = |running: u32| running <= sample.cores;
    if let Some(running) = sample.run_queue.filter(|running| !enough(*running)) {
        parts.push(format!("{running} want {}", many(u64::from(sample.cores), "core", "cores")));
    }
    if cpu.iowait >= WORTH_NAMING {
        parts.push(format!("{:.0} % waiting for disks", cpu.iowait * 100.0));
    }
    // A run queue that is told says as much already.
    let stalled = rates.pressure.map(|it| it.cpu_some).filter(|_| sample.run_queue.is_none_or(enough));
    if let Some(stalled) = stalled.filter(|share| *share >= WORTH_NAMING) {
        parts.push(format!("somebody waits {:.0} % of the time", stalled * 100.0));
    }
    parts.join(", ")
}
