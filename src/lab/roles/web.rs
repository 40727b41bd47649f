//! The app: a fixed number of requests at a time, each with a look into the cache and one into the database.

use std::rc::Rc;
use std::time::Duration;

use sqlx::postgres::PgPool;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::sleep;

use super::connect::{self, Redis};
use super::http::Wire;
use super::{Scene, jobs};
use crate::lab::seed;
use crate::lab::up::SLOTS;

/// The fault that makes every request slower, and by how much.
const SLOW: (&str, Duration) = ("slow-app", Duration::from_millis(800));
/// The fault that makes `web.2` stop listening.
const DOWN: &str = "backend-down";
/// Of so many checkouts one puts a job in, and of so many jobs one is a mail.
const CHECKOUTS_A_JOB: u64 = 3;
const JOBS_A_MAIL: u64 = 4;

struct App {
    scene: Scene,
    name: String,
    pool: PgPool,
    cache: Mutex<Redis>,
    jobs: Mutex<Redis>,
    slots: Semaphore,
}

/// Serves until the process is ended.
pub(super) async fn serve(scene: &Scene, name: &str, index: usize) -> Result<(), String> {
    let port = *scene.state.web.get(index).ok_or("this lab has no port for it")?;
    let app = Rc::new(App {
        pool: connect::pool(scene.postgres()?, name, u32::try_from(SLOTS).unwrap_or(16)),
        cache: Mutex::new(Redis::new(&scene.cache_url()?, name, Duration::from_secs(1))?),
        jobs: Mutex::new(Redis::new(&scene.jobs_url()?, name, Duration::from_secs(1))?),
        slots: Semaphore::new(SLOTS),
        scene: scene.clone(),
        name: name.to_owned(),
    });
    LocalSet::new().run_until(listen(app, port)).await
}

async fn listen(app: Rc<App>, port: u16) -> Result<(), String> {
    loop {
        let listener =
            TcpListener::bind(("127.0.0.1", port)).await.map_err(|why| format!("port {port}: {why}"))?;
        app.scene.ready(&app.name)?;
        let mut connections = JoinSet::new();
        while !app.is_down() {
            tokio::select! {
                accepted = listener.accept() => {
                    if let Ok((stream, _)) = accepted {
                        connections.spawn_local(converse(Rc::clone(&app), Wire::new(stream)));
                    }
                }
                () = sleep(Duration::from_millis(100)) => {}
            }
            while connections.try_join_next().is_some() {}
        }
        // Dropping both closes the port and every connection, as a crash would.
        drop((listener, connections));
        while app.is_down() {
            sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn converse(app: Rc<App>, mut wire: Wire) {
    while let Some(path) = wire.request().await {
        let (status, body) = app.handle(&path).await;
        if !wire.answer(status, body).await {
            return;
        }
    }
}

impl App {
    fn is_down(&self) -> bool {
        self.name == "web.2" && self.scene.flag(DOWN)
    }

    /// The health check needs no slot: it tells that the process lives.
    async fn handle(&self, path: &str) -> (u16, &'static str) {
        if path == "/health" {
            return (200, "ok\n");
        }
        let Ok(_slot) = self.slots.acquire().await else { return (503, "closing\n") };
        if self.scene.flag(SLOW.0) {
            sleep(SLOW.1).await;
        }
        let id: u64 = path.rsplit('/').next().and_then(|id| id.parse().ok()).unwrap_or(0);
        self.look_up(id).await;
        let user = i32::try_from(1 + id % seed::USERS).unwrap_or(1);
        let served = if path.starts_with("/checkout/") {
            self.check_out(id, user).await
        } else {
            sqlx::query("SELECT email, plan FROM users WHERE id = $1")
                .bind(user)
                .execute(&self.pool)
                .await
                .map(drop)
        };
        if served.is_ok() { (200, "hello from the lab\n") } else { (500, "the database failed\n") }
    }

    /// Template and session out of the cache; a template that is not there is put there. Works without a cache.
    async fn look_up(&self, id: u64) {
        let template = format!("cache:templates:{}", id % seed::TEMPLATES);
        let mut cache = self.cache.lock().await;
        let mut pipe = redis::pipe();
        pipe.get(&template).get(format!("sess:{}", id % seed::SESSIONS));
        if let Ok((None, _)) = cache.ask::<(Option<Vec<u8>>, Option<Vec<u8>>)>(&pipe).await {
            let rendered = "x".repeat(seed::TEMPLATE_BYTES);
            cache.ask::<()>(redis::pipe().set(template, rendered).ignore()).await.ok();
        }
    }

    async fn check_out(&self, id: u64, user: i32) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE users SET visits = visits + 1 WHERE id = $1")
            .bind(user)
            .execute(&self.pool)
            .await?;
        // The load asks for odd numbers here, so the quotient is what counts up evenly.
        if (id / 2).is_multiple_of(CHECKOUTS_A_JOB) {
            let queue = jobs::QUEUES[usize::from((id / 6).is_multiple_of(JOBS_A_MAIL))];
            let mut redis = self.jobs.lock().await;
            if let Ok(at) = jobs::now(&mut redis).await {
                let job = format!("{}-{}-{id}", self.name, at.as_micros());
                // A visit that is not remembered is no reason to fail the checkout.
                redis.ask::<()>(&jobs::put(queue, &job, at)).await.ok();
            }
        }
        Ok(())
    }
}
