//! A cache that somebody filled to the brim, and a thing on its port that is no Redis.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::sleep;

use super::Scene;
use super::connect::Redis;
use crate::lab::LabError;
use crate::lab::state::State;

/// What the fill writes begins so: within the namespace that may be cleared.
const PREFIX: &str = "cache:templates:visitor:";
/// Bytes of one value, and values of one round trip.
const VALUE: usize = 1_024;
const BATCH: u64 = 200;

/// Caches a page for every visitor until the cache evicts, and goes on; stops for good when somebody made room.
pub(super) async fn fill(scene: &Scene, name: &str) -> Result<(), String> {
    let mut redis = Redis::new(&scene.cache_url()?, "web.3", Duration::from_secs(5))?;
    let page = "p".repeat(VALUE);
    let (mut visitor, mut evicted_before, mut full) = (0_u64, None, false);
    loop {
        let mut pipe = redis::pipe();
        for _ in 0..BATCH {
            visitor += 1;
            pipe.set(format!("{PREFIX}{visitor}"), &page).ignore();
        }
        pipe.cmd("INFO");
        let (info,): (String,) = redis.ask(&pipe).await.map_err(|why| format!("redis: {why}"))?;
        let share = fill_of(&info).ok_or("INFO tells no limit")?;
        let evicted = field(&info, "evicted_keys").unwrap_or(0.0);
        if full && share < 0.8 {
            return Ok(());
        }
        if !full && evicted > *evicted_before.get_or_insert(evicted) {
            full = true;
            scene.ready(name)?;
        }
        sleep(Duration::from_millis(if full { 500 } else { 2 })).await;
    }
}

/// Takes what the fill left out of the cache again.
pub(in crate::lab) fn drain(state: &State) -> Result<(), LabError> {
    let Some(url) = state.cache_url() else { return Ok(()) };
    let drained = redis::Client::open(url).and_then(|client| {
        let mut connection = client.get_connection()?;
        let mut cursor = 0_u64;
        loop {
            let (next, keys): (u64, Vec<String>) = redis::cmd("SCAN")
                .arg(cursor)
                .arg("MATCH")
                .arg(format!("{PREFIX}*"))
                .arg("COUNT")
                .arg(500)
                .query(&mut connection)?;
            if !keys.is_empty() {
                redis::cmd("UNLINK").arg(keys).query::<()>(&mut connection)?;
            }
            cursor = next;
            if cursor == 0 {
                return Ok(());
            }
        }
    });
    drained.map_err(|why| LabError::Refused(format!("the lab's cache could not be emptied: {why}")))
}

/// Answers everything with what no Redis would say, an escape sequence included.
pub(super) async fn answer_garbage(scene: &Scene, name: &str) -> Result<(), String> {
    let port = scene.state.cache.ok_or("this lab has no cache")?;
    let listener =
        TcpListener::bind(("127.0.0.1", port)).await.map_err(|why| format!("port {port}: {why}"))?;
    scene.ready(name)?;
    loop {
        let (mut stream, _) = listener.accept().await.map_err(|why| format!("port {port}: {why}"))?;
        tokio::spawn(async move {
            let mut asked = [0; 4_096];
            while stream.read(&mut asked).await.is_ok_and(|read| read > 0) {
                if stream
                    .write_all(b"HTTP/1.1 400 Bad Request\r\n\x1b]0;owned\x07\x1b[2J\r\n\r\n")
                    .await
                    .is_err()
                {
                    return;
                }
            }
        });
    }
}

/// Share of the limit in use, out of `INFO`.
fn fill_of(info: &str) -> Option<f64> {
    let limit = field(info, "maxmemory").filter(|limit| *limit > 0.0)?;
    Some((field(info, "used_memory")? - field(info, "mem_not_counted_for_evict").unwrap_or(0.0)) / limit)
}

fn field(info: &str, name: &str) -> Option<f64> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
}
