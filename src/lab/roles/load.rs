//! A steady stream of requests: each starts on its tick, whether or not the ones before came back.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::http::Wire;
use super::{Dice, Scene};

/// Time from one request to the next: sixty a second.
const EVERY: Duration = Duration::from_micros(16_667);
/// Requests under way at most; more are not sent.
const MOST: usize = 600;
/// How long a visitor waits.
const PATIENCE: Duration = Duration::from_secs(35);

/// Sends requests until the process is ended.
pub(super) async fn send(scene: &Scene) -> Result<(), String> {
    let port = scene.state.front.ok_or("this lab has no proxy to send requests to")?;
    while !answers(port).await {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    scene.ready("load")?;
    LocalSet::new().run_until(stream(port)).await;
    Ok(())
}

/// Whether the app answers through the proxy.
async fn answers(port: u16) -> bool {
    match Wire::connect(port).await {
        Some(mut wire) => wire.get("/page/1").await.is_some_and(|(status, _)| status == 200),
        None => false,
    }
}

async fn stream(port: u16) {
    let idle: Rc<RefCell<Vec<Wire>>> = Rc::default();
    let mut under_way = JoinSet::new();
    let mut dice = Dice::new(0x5eed);
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tick.tick().await;
        while under_way.try_join_next().is_some() {}
        if under_way.len() >= MOST {
            continue;
        }
        let id = dice.roll(1_000_000);
        let path = if id.is_multiple_of(2) { format!("/page/{id}") } else { format!("/checkout/{id}") };
        let idle = Rc::clone(&idle);
        under_way.spawn_local(async move {
            timeout(PATIENCE, request(port, &path, &idle)).await.ok();
        });
    }
}

/// One request, on a connection at rest where there is one that still works.
async fn request(port: u16, path: &str, idle: &RefCell<Vec<Wire>>) {
    let rested = idle.borrow_mut().pop();
    if let Some(mut wire) = rested {
        match wire.get(path).await {
            Some((_, again)) => return rest(wire, again, idle),
            // Closed while it rested, so the others are stale too.
            None => idle.borrow_mut().clear(),
        }
    }
    if let Some(mut wire) = Wire::connect(port).await
        && let Some((_, again)) = wire.get(path).await
    {
        rest(wire, again, idle);
    }
}

fn rest(wire: Wire, again: bool, idle: &RefCell<Vec<Wire>>) {
    if again {
        idle.borrow_mut().push(wire);
    }
}

impl Wire {
    async fn connect(port: u16) -> Option<Self> {
        TcpStream::connect(("127.0.0.1", port)).await.ok().map(Self::new)
    }
}
