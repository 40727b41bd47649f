//! A whole lab: up in one call, gone when dropped unless it was left running.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use rustix::process::Signal;

use super::state::{State, flags, lock};
use super::{
    LabError, Process, ProcessRecord, down, folder, free_port, haproxy, postgres, redis, seed, settings,
};

/// Requests one app process serves at a time; HAProxy is told the same number.
pub(super) const SLOTS: usize = 16;
/// The cache's limit.
const CACHE: [&str; 4] = ["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"];

/// One kind of server of a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// PostgreSQL.
    Postgres,
    /// The Redis that caches.
    Cache,
    /// The Redis that holds the jobs.
    Jobs,
    /// Two processes of the app; they need all of the above.
    Web,
    /// HAProxy in front of the app.
    Edge,
    /// Two workers that serve the jobs.
    Workers,
    /// A steady stream of requests.
    Load,
}

/// What to start, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The lab's folder; `None` takes [`default_dir`].
    pub dir: Option<PathBuf>,
    /// The warroom program, whose hidden roles app, load and workers are; `None` is the running one.
    pub program: Option<PathBuf>,
    /// Folder of the PostgreSQL to use; `None` takes the newest installed.
    pub pg_bin: Option<PathBuf>,
    /// What to start.
    pub parts: Vec<Part>,
}

impl Default for Options {
    fn default() -> Self {
        use Part::{Cache, Edge, Jobs, Load, Postgres, Web, Workers};
        Self {
            dir: None,
            program: None,
            pg_bin: None,
            parts: vec![Postgres, Cache, Jobs, Web, Edge, Workers, Load],
        }
    }
}

/// A lab that is up. Dropping it ends it and removes its folder.
#[derive(Debug)]
pub struct Lab {
    dir: PathBuf,
    state: State,
    processes: Vec<Process>,
    left: bool,
}

impl Lab {
    /// Starts a lab and waits until all of it answers. What a dead lab left behind is cleared away first.
    ///
    /// # Errors
    /// A lab is up already, or a part of it does not come up; what was started is ended again.
    pub fn up(options: Options) -> Result<Self, LabError> {
        let dir = options.dir.clone().unwrap_or_else(default_dir);
        if dir.exists() {
            refuse_if_up(&dir)?;
            down(&dir)?;
        }
        folder::create(&dir)?;
        let program = options.program.clone().map_or_else(env::current_exe, Ok);
        let program = program.map_err(LabError::file("find", "the running program"))?;
        let state = State { version: 1, program, pg_bin: options.pg_bin, ..State::default() };
        let mut lab = Self { dir, state, processes: Vec::new(), left: false };
        lab.state.save(&lab.dir)?;
        fs::create_dir(flags(&lab.dir)).map_err(LabError::file("create", flags(&lab.dir)))?;
        let _held = lock(&lab.dir)?;
        for part in &options.parts {
            lab.start(*part)?;
        }
        settings::write(&lab.dir, &lab.state)?;
        Ok(lab)
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The config that watches it.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        settings::path(&self.dir)
    }

    /// What runs where.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Lets it outlive this process; [`down`] ends it.
    pub fn leave_running(mut self) {
        self.left = true;
        for process in self.processes.drain(..) {
            drop(process.let_go());
        }
    }

    fn start(&mut self, kind: Part) -> Result<(), LabError> {
        let dir = self.dir.clone();
        match kind {
            Part::Postgres => {
                let settings = seed::postgres(self.state.pg_bin.as_deref());
                let (process, place) = postgres::start_in(&dir, &settings)?;
                self.state.postgres = Some(place);
                self.keep(process)
            }
            Part::Cache => {
                let (process, port) = redis::start_in(&dir, "cache", &CACHE)?;
                self.state.cache = Some(port);
                self.keep(process)?;
                seed::cache(port)
            }
            Part::Jobs => {
                let (process, port) = redis::start_in(&dir, "jobs", &[])?;
                self.state.jobs = Some(port);
                self.keep(process)
            }
            Part::Web => {
                for name in ["web.1", "web.2"] {
                    self.state.web.push(free_port()?);
                    self.state.save(&dir)?;
                    self.keep(role(&dir, &self.state, name)?)?;
                }
                Ok(())
            }
            Part::Edge => {
                let front = free_port()?;
                let (process, doors) = haproxy::start_in(&dir, &edge(front, &self.state.web))?;
                (self.state.front, self.state.doors) = (Some(front), Some(doors));
                self.keep(process)
            }
            Part::Workers => {
                self.keep(role(&dir, &self.state, "worker.1")?)?;
                self.keep(role(&dir, &self.state, "worker.2")?)
            }
            Part::Load => self.keep(role(&dir, &self.state, "load")?),
        }
    }

    fn keep(&mut self, process: Process) -> Result<(), LabError> {
        self.state.put(process.record().clone());
        self.processes.push(process);
        self.state.save(&self.dir)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !self.left {
            down(&self.dir).ok();
        }
    }
}

/// The folder of this user's lab: in the temporary folder, as a runtime folder may be a few megabytes of memory.
#[must_use]
pub fn default_dir() -> PathBuf {
    env::temp_dir().join(format!("warroom-lab-{}", rustix::process::geteuid().as_raw()))
}

/// Starts again, on its old port, whatever part of the lab does not run.
pub(super) fn revive(dir: &Path, state: &mut State) -> Result<(), LabError> {
    let records: Vec<ProcessRecord> = state.processes.clone();
    for record in records.iter().filter(|one| !one.alive()) {
        let process = match record.name.as_str() {
            "postgres" => postgres::start_again(
                dir,
                state.postgres.as_ref().ok_or_else(lost)?,
                &seed::postgres(state.pg_bin.as_deref()),
            )?,
            "cache" => redis::start_on(dir, "cache", state.cache.unwrap_or_default(), &CACHE)?,
            "jobs" => redis::start_on(dir, "jobs", state.jobs.unwrap_or_default(), &[])?,
            "haproxy" => haproxy::start_again(dir, state.doors.as_ref().ok_or_else(lost)?)?,
            name => role(dir, state, name)?,
        };
        if record.name == "cache" {
            seed::cache(state.cache.unwrap_or_default())?;
        }
        state.put(process.let_go());
        state.save(dir)?;
    }
    Ok(())
}

/// Starts a hidden role of this program and waits until it does its work.
pub(super) fn role(dir: &Path, state: &State, name: &str) -> Result<Process, LabError> {
    let ready = dir.join(format!("{name}.ready"));
    fs::remove_file(&ready).ok();
    let mut command = Command::new(&state.program);
    command.arg("lab-role").arg(dir).arg(name).current_dir(dir).env_clear().env("PATH", "/usr/bin:/bin");
    let mut process = Process::start(name, &mut command, &dir.join(format!("{name}.log")), Signal::TERM)?;
    process.wait_ready(|| ready.exists())?;
    Ok(process)
}

fn refuse_if_up(dir: &Path) -> Result<(), LabError> {
    let up = State::load(dir).is_ok_and(|state| state.processes.iter().any(ProcessRecord::alive));
    if up {
        let dir = dir.display();
        return Err(LabError::Refused(format!("a lab is up in {dir} already; `warroom lab down` ends it")));
    }
    Ok(())
}

fn edge(front: u16, web: &[u16]) -> String {
    let server = |(port, n): (&u16, i32)| format!("    server web{n} 127.0.0.1:{port} check\n");
    let servers = web.iter().zip(1..).map(server).collect::<Vec<_>>().concat();
    format!(
        "frontend front\n    bind 127.0.0.1:{front}\n    \
         http-request set-header X-Request-Start t=%[date(0,us)]\n    default_backend app\n\
         backend app\n    option httpchk GET /health\n    timeout check 1s\n    \
         default-server inter 1s fall 2 rise 2 maxconn {SLOTS}\n{servers}"
    )
}

fn lost() -> LabError {
    LabError::Refused(
        "the lab's state does not say where this part was; `warroom lab down` and up again".into(),
    )
}
