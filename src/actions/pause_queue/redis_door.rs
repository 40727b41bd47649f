//! The way to a Redis that keeps queues: a connection of its own, what is sent over it, what is read back.

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, Value};

use super::Wish;
use super::words::{self, Found};
use crate::actions::clear::{Facts, Server, ask, refused};
use crate::actions::refusals::unknown;
use crate::config::TargetSpec;
use crate::model::{OutcomeKind, QueueChange, Refusal, SafeText};

pub(super) async fn open(spec: &TargetSpec) -> Result<MultiplexedConnection, Refusal> {
    let server = Server::find(spec).await.map_err(|why| unseen(spec, &why))?;
    server.open_as("warroom-pause").await.map_err(|why| unseen(spec, &why))
}

/// What is known of the server, or why nothing can be changed there.
pub(super) async fn facts(
    spec: &TargetSpec,
    connection: &mut MultiplexedConnection,
) -> Result<Facts, Refusal> {
    let told = Facts::read(connection).await;
    told.map_err(|why| Refusal::refused(&format!("nothing can be changed on {}: {why}", spec.id)))
}

/// Reads in one round trip; the server's own refusal is one of ours.
pub(super) async fn read(
    spec: &TargetSpec,
    connection: &mut MultiplexedConnection,
    questions: &Pipeline,
) -> Result<Vec<Value>, Refusal> {
    let answers = ask(connection, questions).await.map_err(|why| unseen(spec, &why))?;
    match refused(&answers) {
        Some(why) => Err(Refusal::refused(&format!("cannot look at {}: {why}", spec.id))),
        None => Ok(answers),
    }
}

/// Sends what changes something: without an answer nobody knows whether it was done.
pub(super) async fn sent(
    connection: &mut MultiplexedConnection,
    commands: &Pipeline,
) -> Result<Vec<Value>, Refusal> {
    let answers = ask(connection, commands).await.map_err(|why| unknown(&why))?;
    match refused(&answers) {
        Some(why) => Err(Refusal::refused(&why)),
        None => Ok(answers),
    }
}

/// Refuses where the user may not send one of these; `rule` is what would let it.
pub(super) async fn allowed(
    facts: &Facts,
    connection: &mut MultiplexedConnection,
    commands: &[&[&str]],
    key: &str,
    rule: &str,
) -> Result<(), Refusal> {
    let user = facts.user();
    for command in commands {
        if facts.may(connection, command).await == Some(false) {
            let mend = format!("ACL SETUSER {user} {rule}");
            return Err(Refusal::refused(&format!("{user} may not change {key}; mend: {mend}")));
        }
    }
    Ok(())
}

/// What was done, from what is seen afterwards.
pub(super) fn told(wish: Wish<'_>, after: Result<Found, Refusal>) -> Result<String, Refusal> {
    let unsure = |why: &SafeText| Refusal {
        kind: OutcomeKind::Failed,
        says: SafeText::new(&format!("done, but not seen again ({why})")),
    };
    let after = after.map_err(|refusal| unsure(&refusal.says))?;
    if after.paused != (wish.to == QueueChange::Pause) {
        return Err(Refusal::failed("it was done, and somebody else undid it at once: look again"));
    }
    Ok(words::done(wish, &after))
}

fn unseen(spec: &TargetSpec, why: &str) -> Refusal {
    Refusal::failed(&format!("cannot look at {}: {why}", spec.id))
}
