//! What a lab consists of, written down so that another process can break, heal and end it.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::haproxy::Doors;
use super::postgres::Place;
use super::{LabError, ProcessRecord};

const STATE: &str = "state.json";

/// Everything known of a lab that is up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Version of this file's form.
    pub version: u32,
    /// The warroom program whose hidden roles the app, the load, the workers and the faults are.
    pub program: PathBuf,
    /// Folder of the PostgreSQL programs, where one was asked for.
    pub pg_bin: Option<PathBuf>,
    /// Where PostgreSQL listens.
    pub postgres: Option<Place>,
    /// Port of the Redis that caches.
    pub cache: Option<u16>,
    /// Port of the Redis that holds the jobs.
    pub jobs: Option<u16>,
    /// Ports of the app's processes, `web.1` first.
    pub web: Vec<u16>,
    /// Where HAProxy tells its statistics.
    pub doors: Option<Doors>,
    /// Port on which HAProxy serves the app.
    pub front: Option<u16>,
    /// The running parts, in the order they were started.
    pub processes: Vec<ProcessRecord>,
    /// The faults at work.
    pub faults: Vec<FaultRecord>,
}

/// A fault that was caused and not yet healed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FaultRecord {
    /// Its name.
    pub name: String,
    /// The process that causes it, where there is one.
    pub process: Option<ProcessRecord>,
}

impl FaultRecord {
    /// Whether it still does damage; a lock holder that was terminated does not.
    #[must_use]
    pub fn at_work(&self) -> bool {
        self.process.as_ref().is_none_or(ProcessRecord::alive)
    }
}

impl State {
    /// Reads the state of the lab in `dir`.
    ///
    /// # Errors
    /// There is no lab, it belongs to somebody else, or its file is damaged.
    pub fn load(dir: &Path) -> Result<Self, LabError> {
        refuse_foreign(dir)?;
        let path = dir.join(STATE);
        let text = fs::read(&path).map_err(LabError::file("read", &path))?;
        serde_json::from_slice(&text).map_err(|why| {
            LabError::Refused(format!(
                "{} is damaged ({why}); end the lab with `warroom lab down`",
                path.display()
            ))
        })
    }

    /// Writes it, whole or not at all.
    pub(super) fn save(&self, dir: &Path) -> Result<(), LabError> {
        let (path, new) = (dir.join(STATE), dir.join("state.json.new"));
        let text = serde_json::to_vec_pretty(self)
            .map_err(|why| LabError::Refused(format!("the lab's state cannot be written: {why}")))?;
        fs::write(&new, text).map_err(LabError::file("write", &new))?;
        fs::rename(&new, &path).map_err(LabError::file("write", &path))
    }

    /// The record of a part by its name.
    #[must_use]
    pub fn process(&self, name: &str) -> Option<&ProcessRecord> {
        self.processes.iter().find(|one| one.name == name)
    }

    /// Remembers a part, in place of an earlier one of its name.
    pub(super) fn put(&mut self, record: ProcessRecord) {
        match self.processes.iter_mut().find(|one| one.name == record.name) {
            Some(earlier) => *earlier = record,
            None => self.processes.push(record),
        }
    }

    /// The cache's address.
    pub(super) fn cache_url(&self) -> Option<String> {
        self.cache.map(|port| format!("redis://127.0.0.1:{port}/0"))
    }

    /// The address of the Redis that holds the jobs.
    pub(super) fn jobs_url(&self) -> Option<String> {
        self.jobs.map(|port| format!("redis://127.0.0.1:{port}/0"))
    }

    /// The database's address for a role.
    pub(super) fn postgres_url(&self, role: &str) -> Option<String> {
        self.postgres.as_ref().map(|place| format!("postgres://{role}@127.0.0.1:{}/app", place.port))
    }
}

/// Whether `dir` is a real folder of ours: a lab's state names processes to be ended.
pub(super) fn ours(dir: &Path) -> bool {
    let me = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(dir).is_ok_and(|meta| meta.is_dir() && meta.uid() == me && meta.mode() & 0o022 == 0)
}

fn refuse_foreign(dir: &Path) -> Result<(), LabError> {
    if ours(dir) {
        return Ok(());
    }
    let dir = dir.display();
    Err(LabError::Refused(format!("no lab of yours in {dir}; `warroom lab up` starts one")))
}

/// Holds everybody else off the lab until it is dropped.
pub(super) fn lock(dir: &Path) -> Result<File, LabError> {
    refuse_foreign(dir)?;
    let path = dir.join("lock");
    let file =
        File::options().create(true).append(true).open(&path).map_err(LabError::file("open", &path))?;
    file.lock().map_err(LabError::file("lock", &path))?;
    Ok(file)
}

/// The folder of flags: a file in it tells the app and the workers to misbehave.
pub(super) fn flags(dir: &Path) -> PathBuf {
    dir.join("faults")
}
