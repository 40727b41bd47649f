//! Watches, for the command line, what stands behind a cache while a namespace of it is cleared. The console
//! needs none of this: it polls everything anyhow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::check::Asker;
use super::{clock, world};
use crate::config::Config;
use crate::detect::Behind;
use crate::model::{Intent, TargetId};

/// From the first look to the second: a rate needs two.
const SOON: Duration = Duration::from_millis(250);
/// From one look to the next.
const AGAIN: Duration = Duration::from_secs(1);
/// Longest that a clear waits to know how it was before.
const PATIENCE: Duration = Duration::from_secs(1);
/// Databases looked at.
const MOST: usize = 8;

/// What is seen behind a cache that is cleared.
#[derive(Clone, Debug)]
pub struct Seen {
    /// How it is now beside how it was.
    pub says: String,
    /// A stampede, in words.
    pub rush: Option<String>,
}

/// Looks at the cache and at the databases of the config, until it is dropped.
#[derive(Debug)]
pub struct Watch {
    begun: Arc<AtomicBool>,
    ready: Arc<Notify>,
    told: mpsc::Receiver<Seen>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Begins to look, where a clear is wanted and a database is polled.
    #[must_use]
    pub fn over(config: &Arc<Config>, intent: &Intent) -> Option<Self> {
        let Intent::ClearNamespace { target, .. } = intent else { return None };
        config.targets.iter().any(|spec| spec.kind == "postgres" && spec.broken.is_none()).then(|| {
            let (begun, ready) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
            let (tell, told) = mpsc::channel(4);
            let looking = look(config.clone(), target.clone(), begun.clone(), ready.clone(), tell);
            Self { begun, ready, told, task: tokio::spawn(looking) }
        })
    }

    /// Waits, not for long, until it is known how things were before; from here on it is told what changed.
    pub async fn begin(&self) {
        // Without it the clear goes on all the same, and tells how things are.
        timeout(PATIENCE, self.ready.notified()).await.ok();
        self.begun.store(true, Ordering::Relaxed);
    }

    /// What was seen next.
    pub async fn next(&mut self) -> Seen {
        match self.told.recv().await {
            Some(seen) => seen,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn look(
    config: Arc<Config>,
    cache: TargetId,
    begun: Arc<AtomicBool>,
    ready: Arc<Notify>,
    tell: mpsc::Sender<Seen>,
) {
    let mut store = world::store(&config);
    let databases = config.targets.iter().filter(|spec| spec.kind == "postgres").take(MOST);
    let specs = config.targets.iter().filter(|spec| spec.id == cache).chain(databases);
    let mut askers: Vec<_> = specs.map(Asker::new).collect();
    let mut behind = Behind::before(&store, &cache, clock::now());
    for round in 0_u64.. {
        for (at, reading) in
            join_all(askers.iter_mut().map(|it| it.ask(clock::now))).await.into_iter().flatten()
        {
            store.take(at, reading);
        }
        let now = clock::now();
        if begun.load(Ordering::Relaxed) {
            behind.look(&store, now);
            let seen = Seen { says: behind.lines().join("; "), rush: behind.rush().map(str::to_owned) };
            // Nobody reading is no reason to wait.
            tell.try_send(seen).ok();
        } else {
            behind = Behind::before(&store, &cache, now);
        }
        if round == 1 {
            ready.notify_one();
        }
        sleep(if round == 0 { SOON } else { AGAIN }).await;
    }
}
