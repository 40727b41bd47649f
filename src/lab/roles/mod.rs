//! The lab's own programs, which are this program in a hidden role: the app, its load, its workers, the faults.
//! Each runs until it is ended, or until the lab's folder is gone.

mod batch;
mod cache;
mod connect;
mod http;
mod jobs;
mod load;
mod locks;
mod web;
mod worker;

use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::LabError;
use super::state::{State, flags};

pub(super) use cache::drain as drain_cache;

/// What a role knows of its lab.
#[derive(Clone, Debug)]
struct Scene {
    dir: PathBuf,
    state: State,
}

impl Scene {
    /// Tells who started the role that it does its work now.
    fn ready(&self, name: &str) -> Result<(), String> {
        let path = self.dir.join(format!("{name}.ready"));
        fs::write(&path, "").map_err(|why| format!("cannot write {}: {why}", path.display()))
    }

    /// Whether a fault of this name tells the app or the workers to misbehave.
    fn flag(&self, name: &str) -> bool {
        flags(&self.dir).join(name).exists()
    }

    fn postgres(&self) -> Result<u16, String> {
        self.state
            .postgres
            .as_ref()
            .map(|place| place.port)
            .ok_or_else(|| "this lab has no PostgreSQL".into())
    }

    fn cache_url(&self) -> Result<String, String> {
        self.state.cache_url().ok_or_else(|| "this lab has no cache".into())
    }

    fn jobs_url(&self) -> Result<String, String> {
        self.state.jobs_url().ok_or_else(|| "this lab has no jobs".into())
    }
}

/// Plays the role `name` for the lab in `dir`, to its end.
///
/// # Errors
/// There is no lab, no such role, or the role's servers do not answer.
pub fn run(dir: &Path, name: &str) -> Result<(), LabError> {
    let scene = Scene { dir: dir.to_owned(), state: State::load(dir)? };
    // Who reads that the machine is busy shall read with what. A kernel that refuses shows the program.
    if let Ok(called) = CString::new(format!("lab-{name}")) {
        rustix::thread::set_name(&called).ok();
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| LabError::Spawn { program: name.to_owned(), why })?;
    let played = runtime.block_on(async {
        tokio::select! {
            played = play(&scene, name) => played,
            () = lab_is_gone(dir) => Ok(()),
        }
    });
    played.map_err(|why| LabError::Refused(format!("{name}: {why}")))
}

async fn play(scene: &Scene, name: &str) -> Result<(), String> {
    match name {
        "web.1" => web::serve(scene, name, 0).await,
        "web.2" => web::serve(scene, name, 1).await,
        "worker.1" | "worker.2" => worker::work(scene, name).await,
        "load" => load::send(scene).await,
        "lock-pileup" => locks::hold_rows(scene, name).await,
        "slow-queries" => batch::report(scene, name).await,
        "connection-storm" => batch::connect_many(scene, name).await,
        "cache-fill" => cache::fill(scene, name).await,
        "garbage-redis" => cache::answer_garbage(scene, name).await,
        "cpu-burn" => burn(scene, name).await,
        _ => Err("no such role".into()),
    }
}

/// Keeps every core busy, behind everything that matters.
async fn burn(scene: &Scene, name: &str) -> Result<(), String> {
    rustix::process::setpriority_process(None, 10)
        .map_err(|why| format!("cannot lower the priority: {why}"))?;
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    for _ in 0..cores {
        std::thread::spawn(|| {
            let mut x = 1_u64;
            loop {
                x = std::hint::black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
            }
        });
    }
    scene.ready(name)?;
    std::future::pending().await
}

/// Returns when nobody could end us by the lab's state any more.
async fn lab_is_gone(dir: &Path) {
    let state = dir.join("state.json");
    while state.exists() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// A small generator of numbers that need not be good, only spread.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    /// `seed` differs from role to role.
    const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `limit`.
    const fn roll(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
