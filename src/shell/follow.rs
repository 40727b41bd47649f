//! The journal as others write it: on a bastion several people act, and each sees what the others do.

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::app::Msg;
use crate::journal::{Entry, EntryKind, Journal, Reader, Tail};
use crate::model::{At, Fact, Timestamp};

/// How far back deploys are read at the start.
const LOOK_BACK: Duration = Duration::from_secs(6 * 3600);
/// Time between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Reads what is there, then tells what is added, from a thread of its own: the journal may lie on a
/// file system that hangs.
pub(super) fn follow(journal: &Journal, now: Timestamp, told: mpsc::Sender<Msg>) {
    let path = journal.path().to_owned();
    std::thread::spawn(move || {
        let mut tail = Tail::from_end(&path);
        for msg in already(&path, now) {
            if told.blocking_send(msg).is_err() {
                return;
            }
        }
        loop {
            for entry in tail.look() {
                let Some(fact) = fact(entry) else { continue };
                if told.blocking_send(Msg::Fact(fact)).is_err() {
                    return;
                }
            }
            std::thread::sleep(LOOK);
            if told.is_closed() {
                return;
            }
        }
    });
}

/// The deploys of the last hours, and a word on intents of which nobody knows the outcome.
fn already(path: &Path, now: Timestamp) -> Vec<Msg> {
    let reader = match Reader::read(path) {
        Ok(reader) => reader.since(now.minus(LOOK_BACK)),
        Err(err) => return vec![Msg::Say(err.to_string())],
    };
    let unsettled = reader.unsettled().len();
    let latest =
        reader.unsettled().last().and_then(|entry| entry.plan.as_ref().map(|plan| plan.title.clone()));
    let marks = reader.entries.into_iter().filter(|entry| entry.kind == EntryKind::Mark);
    let mut out: Vec<Msg> = marks.filter_map(fact).map(Msg::Fact).collect();
    if let Some(title) = latest {
        let says = match unsettled {
            1 => format!("of one act nobody knows the outcome: {title}; see `warroom journal`"),
            n => format!("of {n} acts nobody knows the outcome, last: {title}; see `warroom journal`"),
        };
        out.push(Msg::Say(says));
    }
    out
}

fn fact(entry: Entry) -> Option<At<Fact>> {
    let it = match entry.kind {
        EntryKind::Intent => Fact::Intended(Box::new(entry.plan?)),
        EntryKind::Outcome => Fact::Settled(Box::new(entry.outcome?)),
        EntryKind::Mark => Fact::Marked(entry.mark?),
        EntryKind::Other => return None,
    };
    Some(At { at: entry.at, it })
}
