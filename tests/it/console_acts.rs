//! Acts from keys in a real terminal and from the command line, on real servers; what the journal says of them.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made fails the test")]

use std::path::Path;
use std::time::Duration;

use warroom::journal::{Entry, EntryKind, Reader};
use warroom::lab;
use warroom::model::{Outcome, OutcomeKind};

use super::console::ask;
use super::postgres::{Client, accounts, server};
use super::postgres_actions::pile;
use super::pty::{Start, Terminal};

/// Until a dialog takes its key: nobody acts on what could not be read yet.
const ARMED: Duration = Duration::from_millis(600);
/// Far from the million, and from the half of all keys, over which a name is to be typed: the dialog estimates.
const KEYS: u64 = 700_000;
const OTHERS: u64 = 1_300_000;

fn entries(path: &Path) -> Vec<Entry> {
    Reader::read(path).unwrap().entries
}

fn outcome(entries: &[Entry]) -> Outcome {
    let last = entries.last().unwrap();
    assert_eq!(last.kind, EntryKind::Outcome, "{entries:?}");
    last.outcome.clone().unwrap()
}

#[tokio::test]
async fn two_keys_free_a_pile_up() {
    let server = server(&[]);
    accounts(&server).await;
    let mut holder = Client::new(&server, "web.3").await;
    holder.run("begin; update accounts set n = 1 where id = 1").await;
    let pile = pile(&server, 12).await;
    let folder = lab::Folder::temporary("acts").unwrap();
    let journal = folder.path().join("journal.jsonl");
    let config = format!(
        "[[target]]\nid = \"primary\"\nkind = \"postgres\"\nurl = \"{}\"\n[journal]\npath = \"{}\"\n",
        server.url("warroom"),
        journal.display()
    );
    let mut terminal = Terminal::start(&Start { config: &config, size: (120, 40), ..Start::default() });
    terminal.until_says("12 wait behind it");
    terminal.keys("F");
    terminal.until_says(&format!("End pid {} on primary", holder.pid));
    terminal.until_says("12 of 12 waiters");
    terminal.listen(ARMED);
    terminal.keys("y");
    terminal.until_says("12 of 12 that waited go on");
    for one in pile {
        one.end().await.1.unwrap();
    }
    assert!(holder.try_run("select 1").await.is_err(), "the holder was ended");
    terminal.keys("\r");
    terminal.until("the finding to go", |screen| !screen.contents().contains("LOCKS on primary"));
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
    terminal.assert_restored();
    let told = entries(&journal);
    assert_eq!(told.iter().map(|it| it.kind).collect::<Vec<_>>(), [EntryKind::Intent, EntryKind::Outcome]);
    let outcome = outcome(&told);
    assert_eq!((outcome.kind, outcome.freed), (OutcomeKind::Done, Some(12)), "{outcome:?}");
}

/// Keys that are left in the namespace.
fn left(port: u16) -> u64 {
    let said = ask(port, "DBSIZE");
    let keys: u64 = said.lines().next().and_then(|line| line.strip_prefix(':')).unwrap().parse().unwrap();
    keys - OTHERS
}

#[test]
fn a_clear_of_many_keys_is_stopped_by_its_key_and_by_ctrl_c_and_told_truly() {
    let server = lab::redis::start(&["--enable-debug-command", "yes"]).unwrap();
    for (prefix, keys) in [("cache:a", KEYS), ("page", OTHERS)] {
        let said = ask(server.port(), &format!("DEBUG POPULATE {keys} {prefix}"));
        assert!(said.starts_with("+OK"), "{said}");
    }
    let folder = lab::Folder::temporary("acts").unwrap();
    let journal = folder.path().join("journal.jsonl");
    let config = format!(
        "[[target]]\nid = \"cache\"\nkind = \"redis\"\nurl = \"{}\"\n\
         [[target.namespace]]\nname = \"a\"\nprefix = \"cache:a:\"\n[journal]\npath = \"{}\"\n",
        server.url(0),
        journal.display()
    );
    let mut terminal = Terminal::start(&Start { config: &config, size: (120, 40), ..Start::default() });
    terminal.until_says("cache");
    terminal.keys(":clear a\r");
    terminal.until_says("on cache");
    terminal.until_says("y  clear a");
    terminal.listen(ARMED);
    terminal.keys("y");
    terminal.until_says("under way");
    terminal.until_says("stop at the next safe point");
    terminal.until("its first keys to be gone", |_| left(server.port()) < KEYS);
    terminal.keys("s");
    terminal.until_says("stopped");
    terminal.until_says("Close");
    let mut there = left(server.port());
    let told = entries(&journal);
    let first = outcome(&told);
    assert!(first.stopped && first.kind == OutcomeKind::Failed, "{first:?}");
    assert_eq!(first.deleted, Some(KEYS - there), "{first:?}");
    assert!((1..KEYS).contains(&there), "{there} keys are left");
    terminal.keys("\rq");
    assert_eq!(terminal.end(), 0);

    let args = ["clear", "--target", "cache", "a", "--yes"];
    let mut terminal = Terminal::start(&Start { config: &config, args: &args, ..Start::default() });
    terminal.until("its progress", |screen| screen.contents().contains('%'));
    terminal.keys("\x03");
    terminal.until_says("stopping at the next safe point");
    assert_eq!(terminal.end(), i32::from(first.kind.exit_code()));
    assert!(terminal.screen().contents().contains("stopped"), "{}", terminal.screen().contents());
    let told = entries(&journal);
    let second = outcome(&told);
    assert!(second.stopped, "{second:?}");
    there -= left(server.port());
    assert_eq!((second.deleted, told.len()), (Some(there), 4), "{second:?}");
}
