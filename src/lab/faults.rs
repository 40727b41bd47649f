//! What can be broken on purpose, and how it is mended.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::state::{FaultRecord, State, flags, lock};
use super::up::{revive, role};
use super::{LabError, ProcessRecord};

/// One fault: its name on the command line and what it does.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// `lock-pileup`.
    pub name: &'static str,
    /// One line for `lab list`.
    pub says: &'static str,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// App or workers misbehave as long as a flag is there.
    Flag,
    /// A process of its own does the damage.
    Child,
    /// A part stops in its tracks.
    Freeze(&'static str),
    /// A part is gone; nobody listens on its port.
    Stop(&'static str),
    /// A part is gone and something else answers on its port.
    Replace(&'static str),
}

const fn fault(name: &'static str, how: How, says: &'static str) -> Fault {
    Fault { name, says, how }
}

/// Every fault there is.
pub const FAULTS: &[Fault] = &[
    fault(
        "lock-pileup",
        How::Child,
        "web.3 updates all users and stays idle in transaction; the app waits behind it",
    ),
    fault("slow-queries", How::Child, "five reports join a table with itself and run for ever"),
    fault(
        "connection-storm",
        How::Child,
        "a batch opens connections up to 95 % of the limit and leaves them idle",
    ),
    fault("cache-fill", How::Child, "the cache fills to its limit under cache:templates: and evicts"),
    fault("slow-app", How::Flag, "every request takes 800 ms longer; requests queue in the proxy"),
    fault("backend-down", How::Flag, "web.2 stops listening; the proxy's check fails"),
    fault("queue-clog", How::Flag, "the workers sign off; jobs wait for nobody"),
    fault("cpu-burn", How::Child, "all cores are busy, at low priority"),
    fault(
        "freeze-postgres",
        How::Freeze("postgres"),
        "PostgreSQL is stopped in its tracks: connected, never answering",
    ),
    fault("freeze-redis", How::Freeze("cache"), "the cache is stopped in its tracks"),
    fault("refuse-redis", How::Stop("cache"), "the cache is gone: connections are refused"),
    fault("garbage-redis", How::Replace("cache"), "something that is no Redis answers on the cache's port"),
    fault("vanish-haproxy", How::Stop("haproxy"), "the proxy is gone"),
];

/// Causes a fault in the lab of `dir` and returns when it is in effect.
///
/// # Errors
/// There is no such fault or no lab, the lab lacks the part, or the fault is at work already.
pub fn cause(dir: &Path, name: &str) -> Result<&'static Fault, LabError> {
    let fault = FAULTS.iter().find(|fault| fault.name == name).ok_or_else(|| unknown(name))?;
    let _held = lock(dir)?;
    let mut state = State::load(dir)?;
    if state.faults.iter().any(|one| one.name == name && one.at_work()) {
        return Err(LabError::Refused(format!("{name} is at work already; `warroom lab heal` ends it")));
    }
    let mut process = None;
    match fault.how {
        How::Flag => {
            let flag = flags(dir).join(name);
            fs::write(&flag, "").map_err(LabError::file("write", flag))?;
        }
        How::Freeze(part) => record(&state, part)?.freeze(),
        How::Stop(part) => record(&state, part)?.end(Signal::TERM, Duration::from_secs(5)),
        How::Replace(part) => {
            record(&state, part)?.end(Signal::TERM, Duration::from_secs(5));
            process = Some(role(dir, &state, name)?.let_go());
        }
        How::Child => process = Some(role(dir, &state, name)?.let_go()),
    }
    state.faults.retain(|one| one.name != name);
    state.faults.push(FaultRecord { name: name.to_owned(), process });
    state.save(dir)?;
    Ok(fault)
}

/// Ends every fault and brings every part back to work. Returns the names of the faults ended.
///
/// # Errors
/// There is no lab, or a part does not come back.
pub fn heal(dir: &Path) -> Result<Vec<String>, LabError> {
    let _held = lock(dir)?;
    let mut state = State::load(dir)?;
    for flag in fs::read_dir(flags(dir)).into_iter().flatten().flatten() {
        fs::remove_file(flag.path()).ok();
    }
    for record in &state.processes {
        record.thaw();
    }
    let faults = std::mem::take(&mut state.faults);
    for process in faults.iter().filter_map(|fault| fault.process.as_ref()).filter(|process| process.alive())
    {
        process.end(Signal::TERM, Duration::from_secs(5));
    }
    revive(dir, &mut state)?;
    if faults.iter().any(|fault| fault.name == "cache-fill") {
        super::roles::drain_cache(&state)?;
    }
    state.save(dir)?;
    Ok(faults.into_iter().map(|fault| fault.name).collect())
}

fn record<'a>(state: &'a State, part: &str) -> Result<&'a ProcessRecord, LabError> {
    state.process(part).ok_or_else(|| LabError::Refused(format!("this lab has no {part}")))
}

fn unknown(name: &str) -> LabError {
    let names: Vec<&str> = FAULTS.iter().map(|fault| fault.name).collect();
    LabError::Refused(format!("no fault is called {name:?}; there are {}", names.join(", ")))
}
