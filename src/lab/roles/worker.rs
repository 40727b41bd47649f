//! A worker: takes jobs in turn, notes each visit in the database, beats its heart all the while.

use std::time::Duration;

use sqlx::postgres::PgPool;
use tokio::time::sleep;

use super::connect::{self, Redis};
use super::{Dice, Scene, jobs};
use crate::lab::seed;

/// Time from one heartbeat to the next.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// The fault that makes the workers sign off.
const CLOGGED: &str = "queue-clog";

/// Works until the process is ended.
pub(super) async fn work(scene: &Scene, name: &str) -> Result<(), String> {
    let url = scene.jobs_url()?;
    let mut redis = Redis::new(&url, name, Duration::from_secs(5))?;
    let pool = connect::pool(scene.postgres()?, name, 2);
    let mut said = false;
    loop {
        if scene.flag(CLOGGED) {
            redis.ask::<()>(&jobs::sign_off(name)).await.ok();
            while scene.flag(CLOGGED) {
                sleep(Duration::from_millis(100)).await;
            }
        }
        let shift = tokio::select! {
            shift = serve(scene, name, &mut redis, &pool, &mut said) => shift,
            error = keep_beating(&url, name) => Err(error),
        };
        if shift.is_err() {
            // The server went away or froze: come back when it does.
            sleep(Duration::from_millis(500)).await;
        }
    }
}

async fn serve(
    scene: &Scene,
    name: &str,
    redis: &mut Redis,
    pool: &PgPool,
    said: &mut bool,
) -> Result<(), String> {
    let at = jobs::now(redis).await.map_err(lost)?;
    redis.ask::<()>(&jobs::sign_on(name, at)).await.map_err(lost)?;
    if !std::mem::replace(said, true) {
        scene.ready(name)?;
    }
    let mut dice = Dice::new(u64::from(std::process::id()));
    while !scene.flag(CLOGGED) {
        let (taken,): (Option<(String, String)>,) = redis.ask(&jobs::take()).await.map_err(lost)?;
        let Some((list, id)) = taken else { continue };
        let queue = jobs::queue_of(&list);
        let at = jobs::now(redis).await.map_err(lost)?;
        redis.ask::<()>(&jobs::begin(name, queue, &id, at)).await.map_err(lost)?;
        let user = i32::try_from(1 + dice.roll(seed::USERS)).unwrap_or(1);
        let done = sqlx::query("UPDATE users SET seen = now() WHERE id = $1").bind(user).execute(pool).await;
        redis.ask::<()>(&jobs::finish(name, queue, &id, done.is_ok())).await.map_err(lost)?;
    }
    Ok(())
}

/// Beats on a connection of its own, as the other one blocks; returns what ended it.
async fn keep_beating(url: &str, name: &str) -> String {
    let mut redis = match Redis::new(url, name, Duration::from_secs(5)) {
        Ok(redis) => redis,
        Err(why) => return why,
    };
    loop {
        sleep(BEAT_EVERY).await;
        let beaten = async {
            let at = jobs::now(&mut redis).await?;
            redis.ask::<()>(&jobs::beat(name, at)).await
        };
        if let Err(why) = beaten.await {
            return lost(why);
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn lost(why: redis::RedisError) -> String {
    format!("redis: {why}")
}
