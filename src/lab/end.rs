//! The end of a lab, whatever state it is in.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use super::LabError;
use super::process::{self, ProcessRecord};
use super::state::{State, ours};

/// Servers of a lab by the name the kernel shows.
const SERVERS: [&str; 3] = ["postgres", "redis-server", "haproxy"];

/// Ends every process of the lab in `dir` and removes the folder. A lab that came up by half, or whose
/// parent was killed, is found by its state and by the processes that still work inside the folder.
/// Returns how many processes were ended; no lab at all is fine (0).
///
/// # Errors
/// The folder is not ours, or cannot be removed.
pub fn down(dir: &Path) -> Result<usize, LabError> {
    if !dir.exists() {
        return Ok(0);
    }
    if !ours(dir) || !looks_like_a_lab(dir) {
        return Err(LabError::Refused(format!("{} is no lab of yours: nothing was touched", dir.display())));
    }
    let state = State::load(dir).unwrap_or_default();
    let faults = state.faults.iter().rev().filter_map(|fault| fault.process.as_ref());
    let mut ended = 0;
    for record in faults.chain(state.processes.iter().rev()) {
        ended += end(record);
    }
    for record in process::records().filter(|record| works_inside(record.pid, dir)) {
        ended += end(&record);
    }
    fs::remove_dir_all(dir).map_err(LabError::file("remove", dir))?;
    Ok(ended)
}

fn end(record: &ProcessRecord) -> usize {
    if !record.alive() {
        return 0;
    }
    let gently = if record.name == "postgres" { Signal::QUIT } else { Signal::TERM };
    record.end(gently, Duration::from_secs(5));
    1
}

/// An empty folder, or one with a state or a lock in it: never somebody's home by mistake.
fn looks_like_a_lab(dir: &Path) -> bool {
    ["state.json", "state.json.new", "lock"].iter().any(|name| dir.join(name).exists())
        || fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}

/// A server or a role of ours whose working folder is the lab's; a shell that merely stands there is not meant.
fn works_inside(pid: i32, dir: &Path) -> bool {
    let inside = fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(dir));
    inside && (SERVERS.contains(&command_name(pid).trim()) || is_role(pid))
}

fn command_name(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default()
}

fn is_role(pid: i32) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).nth(1).is_some_and(|word| word == OsStr::new("lab-role").as_encoded_bytes())
}
