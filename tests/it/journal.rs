//! The journal on a real file system: shared, torn, full, forbidden.

#![expect(clippy::expect_used, reason = "a fixture that cannot be made fails the test")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use warroom::journal::{Author, EntryKind, Journal, JournalError, Reader, Tail, actor};
use warroom::model::{
    Actor, Confirm, Intent, Mark, Outcome, OutcomeKind, Plan, PlanId, SafeText, TargetId, Timestamp,
};

fn journal(path: &Path) -> Journal {
    let actor = Actor { user: "oncall".into(), host: "bastion".into(), from: None };
    Journal::new(path.to_owned(), Author { actor, environment: "test".into() })
}

fn plan(id: &str) -> Plan {
    Plan {
        id: PlanId(id.into()),
        intent: Intent::TerminateBackend {
            target: TargetId::parse("primary").expect("legal"),
            backends: vec![],
        },
        read_at: Timestamp::default(),
        title: SafeText::new("End pid 1 on primary"),
        lines: Vec::new(),
        warnings: Vec::new(),
        gentler: None,
        verb: SafeText::new("end it"),
        confirm: Confirm::Key,
        touches: 1,
        frees: None,
        identity: String::new(),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

#[test]
fn an_intent_comes_back_with_its_outcome_and_the_file_is_private() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("state/warroom/journal.jsonl");
    let journal = journal(&path);
    let intended = journal.intend(plan("a"), at(10)).expect("written");
    journal.intend(plan("b"), at(11)).expect("written");
    journal
        .settle(&Outcome::new(intended.plan().id.clone(), OutcomeKind::Done, "ended"), at(12))
        .expect("written");
    let mark = Mark { id: "m".into(), label: "v1".into(), note: "".into(), by: "oncall".into() };
    journal.mark(&mark, at(13)).expect("written");

    let read = Reader::read(&path).expect("readable");
    let kinds: Vec<_> = read.entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::Intent, EntryKind::Intent, EntryKind::Outcome, EntryKind::Mark]);
    assert_eq!(read.entries[0].plan.as_ref(), Some(intended.plan()));
    assert_eq!(read.entries[3].mark, Some(mark));
    let unsettled: Vec<_> = read.unsettled().iter().map(|entry| entry.id.clone()).collect();
    assert_eq!(unsettled, ["b"], "killed between intend and settle: the next start reports it");
    assert_eq!(read.since(at(12)).entries.len(), 2);

    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().expect("folder"))), (0o600, 0o700));
}

#[test]
fn the_form_of_a_line_is_a_contract() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("j");
    let journal = journal(&path);
    journal.intend(plan("a"), at(10)).expect("written");
    journal.settle(&Outcome::new(PlanId("a".into()), OutcomeKind::Done, "ended"), at(12)).expect("written");
    insta::assert_snapshot!(fs::read_to_string(&path).expect("text"));
}

#[test]
fn a_torn_line_is_stepped_over_and_the_next_one_begins_anew() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("j");
    let journal = journal(&path);
    journal.intend(plan("a"), at(1)).expect("written");
    let mut tail = Tail::from_end(&path);
    let mut file = fs::OpenOptions::new().append(true).open(&path).expect("open");
    file.write_all(b"{\"v\":1,\"at\":\"2026").expect("torn on purpose");
    assert!(tail.look().is_empty(), "half a line is not news");
    journal.intend(plan("b"), at(2)).expect("written");
    file.write_all(b"{\"v\":9,\"kind\":\"prophecy\",\"id\":\"z\",\"novel\":[1]}\n").expect("a later version");

    let read = Reader::read(&path).expect("readable");
    let ids: Vec<_> = read.entries.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!((ids, read.skipped), (vec!["a", "b", "z"], 1));
    assert_eq!(read.entries[2].kind, EntryKind::Other);
    let news: Vec<_> = tail.look().into_iter().map(|entry| entry.id).collect();
    assert_eq!(news, ["b", "z"]);
    assert!(tail.look().is_empty());
}

#[test]
fn a_tail_follows_a_file_that_appears_later_or_is_moved_away() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("j");
    let mut tail = Tail::from_end(&path);
    assert!(tail.look().is_empty());
    journal(&path).intend(plan("a"), at(1)).expect("written");
    assert_eq!(tail.look().len(), 1);
    fs::rename(&path, dir.path().join("j.1")).expect("rotated");
    journal(&path).intend(plan("b"), at(2)).expect("written");
    let news: Vec<_> = tail.look().into_iter().map(|entry| entry.id).collect();
    assert_eq!(news, ["b"]);
}

#[test]
fn a_full_disk_gives_no_proof() {
    // /dev/full takes the open and refuses every byte, as a full disk does.
    let error = journal(Path::new("/dev/full")).intend(plan("a"), at(1)).expect_err("no line, no act");
    assert!(matches!(error, JournalError::Io { doing: "writing", .. }), "{error}");
    assert!(error.to_string().contains("nothing is done without it"));
}

#[test]
fn a_link_in_the_journals_place_is_not_followed() {
    let dir = tempfile::tempdir().expect("folder");
    let (path, other) = (dir.path().join("j"), dir.path().join("other"));
    fs::write(&other, "precious").expect("file");
    std::os::unix::fs::symlink(&other, &path).expect("link");
    journal(&path).intend(plan("a"), at(1)).expect_err("a link could lead anywhere");
    assert_eq!(fs::read_to_string(&other).expect("text"), "precious");
}

#[test]
fn several_writers_never_mix_their_lines() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("j");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                for line in 0..25 {
                    journal(path).intend(plan(&format!("{writer}-{line}")), at(line)).expect("written");
                }
            });
        }
    });
    let read = Reader::read(&path).expect("readable");
    assert_eq!((read.entries.len(), read.skipped), (100, 0));
}

#[test]
fn the_place_follows_xdg_and_the_config() {
    let env = |name: &str| match name {
        "HOME" => Some("/home/a".to_owned()),
        "XDG_STATE_HOME" => Some("relative/is/ignored".to_owned()),
        _ => None,
    };
    let place = |configured: Option<&str>| Journal::place(configured.map(Path::new), &env).expect("a place");
    assert_eq!(place(None), Path::new("/home/a/.local/state/warroom/journal.jsonl"));
    assert_eq!(place(Some("/var/x")), Path::new("/var/x"));
    assert!(matches!(Journal::place(None, &|_| None), Err(JournalError::Nowhere)));
}

#[test]
fn the_actor_is_who_called_and_from_where() {
    let env = |name: &str| match name {
        "LOGNAME" => Some("oncall\u{1b}[31m".to_owned()),
        "SSH_CONNECTION" => Some("10.0.0.7 5000 10.0.0.1 22".to_owned()),
        _ => None,
    };
    let who = actor(&env);
    assert_eq!((who.user.as_str(), who.from.as_ref().map(SafeText::as_str)), ("oncall", Some("10.0.0.7")));
    // Without an environment the system's own list of logins tells.
    let id = std::process::Command::new("id").arg("-un").output().unwrap();
    let name = String::from_utf8(id.stdout).unwrap();
    assert_eq!(actor(&|_| None).user.as_str(), name.trim());
}
