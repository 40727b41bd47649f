//! Acts from keys in a real terminal, on real servers; what the journal says of them.
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made fails the test")]

use std::path::Path;
use std::time::Duration;

use warroom::journal::{Entry, EntryKind, Reader};
use warroom::lab;
use warroom::model::{Outcome, OutcomeKind};

use super::postgres::{Client, accounts, server};
use super::postgres_actions::pile;
use super::pty::{Start, Terminal};

/// Until a dialog takes its key: nobody acts on what could not be read yet.
const ARMED: Duration = Duration::from_millis(600);

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
