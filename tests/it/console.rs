//! The console in a real terminal against real servers: what it writes, what it survives, what it announces.
#![expect(clippy::expect_used, reason = "a fixture that cannot be made fails the test")]
#![expect(clippy::disallowed_methods, reason = "a test waits by the clock until it gives up")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use warroom::journal::{Author, Journal};
use warroom::lab;
use warroom::model::{
    Actor, Confirm, Intent, Mark, Outcome, OutcomeKind, Plan, PlanId, SafeText, TargetId, Timestamp,
};

use super::pty::{PATIENCE, Start, Terminal};

const BEGIN: &[u8] = b"\x1b[?2026h";
/// Keys that mean nothing.
const KEYS: usize = 150;
const END: &[u8] = b"\x1b[?2026l";
/// What the console says to a terminal beside its frames: taken, given back, titled.
const ASIDE: [&str; 3] = [
    "\x1b[22;2t\x1b[?1049h\x1b[?25l\x1b[?2004h",
    "\x1b[?2026l\x1b[m\x1b[?2004l\x1b[?25h\x1b[?1049l\x1b[23;2t",
    "\x1b]2;warroom \x07",
];

fn count(raw: &[u8], what: &[u8]) -> usize {
    raw.windows(what.len()).filter(|window| *window == what).count()
}

/// What was written outside of synchronized updates; each must be whole and inside no other.
fn outside(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw).replace(ASIDE[0], "").replace(ASIDE[1], "");
    let mut left = String::new();
    let mut parts = text.split("\x1b[?2026h");
    left.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (inside, after) = part.split_once("\x1b[?2026l").expect("a frame that is begun is ended");
        assert!(!inside.contains("\x1b]") && !inside.contains('\x07'), "an aside inside a frame");
        left.push_str(after);
    }
    left
}

fn redis_config(port: u16) -> String {
    format!("[[target]]\nid = \"cache\"\nkind = \"redis\"\nurl = \"redis://127.0.0.1:{port}/0\"\n")
}

#[test]
fn every_byte_is_in_a_synchronized_update_and_a_key_that_changes_nothing_writes_none() {
    let server = lab::redis::start(&[]).expect("a server");
    let config = format!("{}[notify]\ntitle = false\n", redis_config(server.port()));
    let mut terminal = Terminal::start(&Start { config: &config, size: (120, 40), ..Start::default() });
    terminal.until_says("1 up");
    // The opening, in which each first answer is shown as it comes, is over.
    terminal.listen(Duration::from_secs(5));
    let (began, frames) = (Instant::now(), count(&terminal.raw, BEGIN));
    for _ in 0..KEYS {
        terminal.keys("\x1b[24~");
        terminal.listen(Duration::from_millis(20));
    }
    let drawn = count(&terminal.raw, BEGIN) - frames;
    let seconds = usize::try_from(began.elapsed().as_secs()).expect("a short time");
    // The clock and the figures change each second; a finding, should there be one, dates itself in tenths.
    assert!(drawn < KEYS / 2 + seconds * 3, "{drawn} frames in {seconds} s: keys draw what did not change");
    assert!(drawn >= 1, "the clock stands still");
    // A key that does change the screen is one frame more, at once.
    terminal.keys("?");
    terminal.until("the help", |screen| screen.contents().contains("this page"));
    terminal.keys("\x1b");
    terminal.until("the help to go", |screen| !screen.contents().contains("this page"));
    terminal.keys("q");
    terminal.end();
    terminal.assert_restored();
    assert_eq!(outside(&terminal.raw), "", "bytes outside of any frame");
    assert_eq!(count(&terminal.raw, b"\x1b[2J"), 1, "the screen is cleared once, at the start");
}

/// What a Redis answers, however long it takes.
pub(super) fn ask(port: u16, line: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server takes connections");
    stream.write_all(format!("{line}\r\nQUIT\r\n").as_bytes()).expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("answered");
    text
}

/// One figure of `INFO`.
fn figure(port: u16, name: &str) -> u64 {
    let text = ask(port, "INFO");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|figure| figure.trim().parse().ok()).expect("the figure")
}

#[test]
fn a_stalled_line_holds_up_no_poll_makes_no_frames_and_recovers() {
    let server = lab::redis::start(&[]).expect("a server");
    let config = redis_config(server.port());
    let mut terminal = Terminal::start(&Start { config: &config, size: (200, 60), ..Start::default() });
    terminal.until_says("cache");
    terminal.listen(Duration::from_secs(1));
    let pid = terminal.pid().as_raw_pid();
    let rss = || {
        let statm = std::fs::read_to_string(format!("/proc/{pid}/statm"));
        let statm = statm.expect("its memory");
        statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("pages") * 4_096
    };
    let before = rss();
    // Nobody reads any more. Each of these wants the whole screen again: several kilobytes.
    let had = terminal.raw.len();
    for _ in 0..400 {
        terminal.type_only("\x0c");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Each look costs one command itself, and QUIT another.
    let polls =
        |since: u64, looks: u64| figure(server.port(), "total_commands_processed") > since + looks * 2 + 6;
    let (began, since) = (Instant::now(), figure(server.port(), "total_commands_processed"));
    let mut looks = 1;
    while !polls(since, looks) {
        looks += 1;
        assert!(began.elapsed() < PATIENCE, "a line that is not read holds the polls up");
        std::thread::sleep(Duration::from_millis(200));
    }
    let grown = rss().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more, and nobody reads");
    // Read again: what was on its way, and then the screen as it is now.
    terminal.keys("?");
    terminal.until_says("this page");
    let late = terminal.raw.split_off(had);
    let frames = count(&late, BEGIN);
    assert!(frames < 200, "{frames} frames were made for a line that took none");
    terminal.raw.extend(late);
    terminal.keys("\x1b");
    terminal.until("the help to go", |screen| !screen.contents().contains("this page"));
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
    terminal.assert_restored();
    assert_eq!(count(&terminal.raw, BEGIN), count(&terminal.raw, END) - 1, "each frame is whole");
}

/// A config whose only target answers nobody: a finding as soon as it was asked.
fn refused(notify: &str) -> String {
    let port = lab::free_port().expect("a port");
    format!("{}[notify]\ntitle = false\n{notify}", redis_config(port))
}

#[test]
fn a_finding_rings_and_is_told_to_the_terminal_in_the_form_that_was_configured() {
    let forms = [
        ("osc = 9", "\x07\x1b]9;", ""),
        ("osc = 99", "\x07\x1b]99;;", ""),
        ("osc = 777", "\x07\x1b]777;notify;warroom;", ""),
        ("osc = 9", "\x07\x1bPtmux;\x1b\x1b]9;", "\x1b\\"),
    ];
    for (notify, begins, ends) in forms {
        let env: &[_] = if ends.is_empty() { &[] } else { &[("TMUX", "/tmp/none,1,0")] };
        let mut terminal = Terminal::start(&Start { config: &refused(notify), env, ..Start::default() });
        let began = Instant::now();
        let told = loop {
            let told = String::from_utf8_lossy(&terminal.raw).into_owned();
            if let Some((_, after)) = told.split_once(begins)
                && let Some((told, after)) = after.split_once('\x07')
                && after.len() >= ends.len()
            {
                assert!(after.starts_with(ends), "{notify}: {after:?}");
                break told.to_owned();
            }
            assert!(began.elapsed() < PATIENCE, "{notify}: never told; {told:?}");
            terminal.listen(Duration::from_millis(50));
        };
        assert!(told.contains("cache") && !told.contains(['\x1b', ';']), "{notify}: {told:?}");
    }

    let mut terminal = Terminal::start(&Start { config: &refused("bell = false"), ..Start::default() });
    terminal.until_says("NO ANSWER");
    terminal.listen(Duration::from_millis(1_500));
    assert_eq!(count(&terminal.raw, b"\x07"), 0, "it rang, though it was told not to");
}

#[test]
fn tmux_passes_a_notification_on_to_the_terminal_around_it() {
    let folder = lab::Folder::temporary("tmux").expect("a folder");
    let settings = folder.path().join("conf");
    let text = "set -g allow-passthrough on\nset -g visual-bell off\nset -g bell-action any\n";
    std::fs::write(&settings, text).expect("its settings");
    let socket = folder.path().join("socket").display().to_string();
    let settings = settings.display().to_string();
    let tmux = ["tmux", "-u", "-S", &socket, "-f", &settings, "new-session"];
    let start = Start { config: &refused("osc = 9"), by: &tmux, ..Start::default() };
    let _server = Server(socket.clone());
    let mut terminal = Terminal::start(&start);
    terminal.until_says("NO ANSWER");
    let began = Instant::now();
    while count(&terminal.raw, b"\x1b]9;") == 0 {
        assert!(began.elapsed() < PATIENCE, "tmux let nothing through");
        terminal.listen(Duration::from_millis(50));
    }
    assert!(count(&terminal.raw, b"\x07") >= 1, "the bell came through too");
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
}

/// A tmux server, ended with the test.
struct Server(String);

impl Drop for Server {
    fn drop(&mut self) {
        std::process::Command::new("tmux").args(["-S", &self.0, "kill-server"]).output().ok();
    }
}

#[test]
fn what_somebody_else_writes_into_the_journal_is_an_event_here() {
    let folder = lab::Folder::temporary("journal").expect("a folder");
    let path = folder.path().join("journal.jsonl");
    let config =
        format!("[[target]]\nid = \"here\"\nkind = \"host\"\n[journal]\npath = \"{}\"\n", path.display());
    let mut terminal = Terminal::start(&Start { config: &config, size: (120, 40), ..Start::default() });
    terminal.until_says("here");
    let actor = Actor { user: "nadia".into(), host: "laptop".into(), from: None };
    let journal = Journal::new(path, Author { actor, environment: "test".into() });
    let now = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        Timestamp::from_micros(i64::try_from(now.as_micros()).expect("before the year 200000"))
    };
    let mark = Mark { id: "m1".into(), label: "v9.9.1".into(), note: "".into(), by: "nadia".into() };
    journal.mark(&mark, now()).expect("written");
    terminal.until_says("v9.9.1");
    let plan = Plan {
        id: PlanId("p1".into()),
        intent: Intent::TerminateBackend {
            target: TargetId::parse("here").expect("legal"),
            backends: vec![],
        },
        read_at: now(),
        title: SafeText::new("End pid 4711 on here"),
        lines: Vec::new(),
        warnings: Vec::new(),
        gentler: None,
        verb: SafeText::new("end it"),
        confirm: Confirm::Key,
        touches: 1,
        frees: None,
        identity: String::new(),
    };
    let intended = journal.intend(plan, now()).expect("written");
    terminal.until_says("End pid 4711");
    let ended = Outcome::new(intended.plan().id.clone(), OutcomeKind::Done, "ended: 12 of 12 go on");
    journal.settle(&ended, now()).expect("written");
    terminal.until_says("12 of 12 go on");
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
}
