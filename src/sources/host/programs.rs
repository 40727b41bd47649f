//! Which programs take this machine's processors and memory. Looked at only while one of them is short:
//! a look reads a file for each process.

use std::collections::BTreeMap;
use std::time::Duration;

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::time::Instant;

use crate::model::{CpuTimes, HostSample, Program, SafeText};

/// Part of the processors that is busy, and of the memory that is used, from which on it is worth a look.
const BUSY: f64 = 0.6;
const FULL: f64 = 0.75;
/// A look may cost at most one part in so many of a processor; dearer ones become rarer.
const SHARE: u32 = 200;
/// Programs told of.
const MOST: usize = 8;

/// What is remembered from look to look.
#[derive(Default)]
pub(super) struct Programs {
    times: Option<CpuTimes>,
    due: Option<Instant>,
    looked: bool,
    last: Vec<Program>,
}

impl Programs {
    /// Adds the programs that take most to what was seen of the machine, if it is short of anything.
    pub(super) fn add(&mut self, system: &mut System, sample: &mut HostSample) {
        let busy = self.times.zip(sample.cpu).is_some_and(|(before, now)| busy(before, now) >= BUSY);
        self.times = sample.cpu;
        let full = sample.memory.is_some_and(|it| (it.available as f64) < (1.0 - FULL) * it.total as f64);
        if !busy && !full {
            (self.looked, self.due) = (false, None);
            self.last.clear();
            return;
        }
        let began = Instant::now();
        if self.due.is_none_or(|due| began >= due) {
            let what = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
            system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
            // Shares of a processor are known from the second look on: who is to blame is not kept waiting.
            if self.looked {
                let took = began.elapsed();
                self.due = Some(began + (took * SHARE).min(Duration::from_secs(30)));
                self.last = most(system);
            }
            self.looked = true;
        }
        sample.programs.clone_from(&self.last);
    }
}

/// Share of the processors' time between two looks that was not idle.
fn busy(before: CpuTimes, now: CpuTimes) -> f64 {
    let (all, idle) = (now.total() - before.total(), now.resting() - before.resting());
    if all > 0.0 { 1.0 - idle / all } else { 0.0 }
}

/// Those that take most of the processors, and those that hold most memory; processes of one name are one.
fn most(system: &System) -> Vec<Program> {
    let mut by_name: BTreeMap<String, Program> = BTreeMap::new();
    for process in system.processes().values() {
        let name = process.name().to_string_lossy();
        let program = by_name
            .entry(name.to_string())
            .or_insert_with(|| Program { name: SafeText::new(&name), ..Program::default() });
        let bytes = process.memory();
        let cores = f64::from(process.cpu_usage()) / 100.0;
        if program.processes == 0 || bytes > program.largest {
            (program.pid, program.largest) = (process.pid().as_u32(), bytes);
        }
        program.processes += 1;
        program.cores += cores;
    }
    let mut all: Vec<Program> = by_name.into_values().collect();
    all.sort_by_key(|it| std::cmp::Reverse(it.largest));
    let kept = all.split_off(all.len().min(MOST / 2));
    let mut busiest = kept;
    busiest.sort_by(|a, b| b.cores.total_cmp(&a.cores));
    busiest.truncate(MOST / 2);
    all.extend(busiest);
    all.sort_by(|a, b| b.cores.total_cmp(&a.cores));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Memory;

    #[test]
    fn programs_are_named_while_the_machine_is_short_and_not_before() {
        let mut system = System::new().expect("this is Linux");
        let (mut programs, mut sample) = (Programs::default(), HostSample::default());
        programs.add(&mut system, &mut sample);
        assert!(sample.programs.is_empty(), "nothing is short");
        let memory = Memory { total: 100, available: 10, swap_total: 0, swap_free: 0 };
        sample.memory = Some(memory);
        programs.add(&mut system, &mut sample);
        assert!(sample.programs.is_empty(), "known from the second look on");
        programs.add(&mut system, &mut sample);
        let own = std::fs::read_to_string("/proc/self/comm").expect("our name");
        let all = most(&system);
        assert!(!sample.programs.is_empty() && sample.programs.len() <= MOST, "{:?}", sample.programs);
        assert!(all.iter().all(|it| it.processes > 0 && it.pid > 0), "{own}: {all:?}");
        sample.memory = Some(Memory { available: 90, ..memory });
        sample.programs.clear();
        programs.add(&mut system, &mut sample);
        assert!(sample.programs.is_empty(), "no more");
    }
}
