//! The terminal is somebody's lifeline: it is given back on every way out, and a lost line ends us.
#![expect(clippy::disallowed_methods, reason = "a test waits by the clock until it gives up")]

use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use warroom::lab;

use super::pty::{Leader, PATIENCE, Start, Terminal};

fn opened() -> Terminal {
    let mut terminal = Terminal::open();
    terminal.until_says("warroom");
    terminal.until_says("here");
    terminal.assert_taken();
    terminal
}

#[test]
fn q_gives_the_terminal_back() {
    let mut terminal = opened();
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
    terminal.assert_restored();
}

#[test]
fn every_signal_that_ends_it_gives_the_terminal_back() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130), (Signal::QUIT, 131)] {
        let mut terminal = opened();
        terminal.signal(signal);
        assert_eq!(terminal.end(), code, "{signal:?}");
        terminal.assert_restored();
    }
}

#[test]
fn a_panic_gives_the_terminal_back_and_is_told_afterwards() {
    let mut terminal = Terminal::start(&Start { env: &[("WARROOM_TEST_PANIC_ON", "P")], ..Start::default() });
    terminal.until_says("here");
    terminal.keys("P");
    assert_eq!(terminal.end(), 101);
    terminal.assert_restored();
    let said = terminal.screen().contents();
    assert!(said.contains("internal error: a key that panics was pressed"), "{said}");
}

#[test]
fn ctrl_z_hands_the_terminal_over_and_fg_takes_it_again() {
    let leader = Leader::Script("set -m", "echo stopped; read line; echo read $line; fg; echo back");
    let mut terminal = Terminal::start(&Start { leader, ..Start::default() });
    terminal.until_says("here");
    terminal.keys("\x1a");
    terminal.until("the alternate screen to be left", |screen| !screen.alternate_screen());
    // The shell has job control, so it goes on with its next command once we are stopped.
    terminal.until_says("stopped");
    assert!(!terminal.screen().hide_cursor() && !terminal.screen().bracketed_paste());
    terminal.keys("hello\n");
    terminal.until("the screen to come back", |screen| {
        screen.alternate_screen() && screen.hide_cursor() && screen.contents().contains("here")
    });
    let raw = String::from_utf8_lossy(&terminal.raw).into_owned();
    assert!(raw.contains("read hello\r\n"), "the shell had its line, echoed and cooked");
    terminal.keys("q");
    terminal.until_says("back");
    terminal.until("the terminal to be left", |screen| !screen.alternate_screen());
}

#[test]
fn a_lost_line_ends_it_and_its_connections_with_it() {
    let server = lab::postgres::start(None).expect("a server");
    let config = format!(
        "[[target]]\nid = \"here\"\nkind = \"postgres\"\nurl = \"postgres://warroom@127.0.0.1:{}/app\"\n",
        server.port()
    );
    let connections = || {
        let port = server.port().to_string();
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'warroom'";
        let out = Command::new("psql")
            .args(["-XAtqh", "127.0.0.1", "-p", &port, "-U", "postgres", "-d", "app", "-c", sql])
            .output()
            .expect("psql runs");
        String::from_utf8_lossy(&out.stdout).trim().parse::<u32>().expect("a number")
    };
    // Led by the console itself; and by a shell that ignores the hang-up, so that nobody tells us.
    for leader in [Leader::Itself, Leader::Script("trap '' HUP", "sleep 600")] {
        let itself = matches!(leader, Leader::Itself);
        let mut terminal = Terminal::start(&Start { config: &config, leader, ..Start::default() });
        terminal.until_says("here");
        let began = Instant::now();
        while connections() == 0 {
            assert!(began.elapsed() < PATIENCE, "it never connected");
            terminal.listen(Duration::from_millis(50));
        }
        terminal.cut();
        let began = Instant::now();
        while connections() > 0 {
            assert!(began.elapsed() < PATIENCE, "still connected, though the line was lost");
        }
        if itself {
            assert_eq!(terminal.end(), 129);
        }
    }
}

#[test]
fn a_terminal_that_cannot_show_a_screen_is_refused_in_words() {
    let mut terminal = Terminal::start(&Start { env: &[("TERM", "dumb")], ..Start::default() });
    assert_eq!(terminal.end(), 64);
    let said = terminal.screen().contents();
    assert!(said.contains("TERM=dumb"), "{said}");
    assert!(!terminal.raw.contains(&0x1b), "not one escape to a terminal that knows none");

    let out = Command::new(env!("CARGO_BIN_EXE_warroom")).output().expect("it starts");
    assert_eq!(out.status.code(), Some(64));
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(said.contains("needs a terminal") && said.contains("warroom check"), "{said}");
}

#[test]
fn no_color_leaves_attributes_that_tell_things_apart() {
    let mut terminal = Terminal::start(&Start { env: &[("NO_COLOR", "1")], ..Start::default() });
    terminal.until_says("here");
    terminal.listen(Duration::from_millis(1_500));
    terminal.keys("q");
    terminal.end();
    let text = String::from_utf8_lossy(&terminal.raw).into_owned();
    let mut attributes = 0;
    for codes in text.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| c != ';' && !c.is_ascii_digit())?;
        rest[end..].starts_with('m').then(|| &rest[..end])
    }) {
        for code in codes.split(';').filter_map(|code| code.parse::<u32>().ok()) {
            assert!(!(30..50).contains(&code) && !(90..110).contains(&code), "a colour: {codes}");
            attributes += u32::from(matches!(code, 1 | 2 | 4 | 7));
        }
    }
    assert!(attributes > 0, "nothing is told apart at all");
}

#[test]
fn a_locale_of_other_letters_is_shown_plain_ones() {
    let mut terminal = Terminal::start(&Start { env: &[("LC_ALL", "C")], ..Start::default() });
    terminal.until_says("here");
    terminal.keys("?");
    terminal.until_says("Keys and commands");
    terminal.keys("q");
    terminal.until("the help to go", |screen| !screen.contents().contains("Keys and commands"));
    let seen = terminal.screen().contents();
    assert!(seen.contains("---") && terminal.raw.is_ascii(), "{seen}");
}

#[test]
fn a_storm_of_keys_and_sizes_survives() {
    let mut terminal = opened();
    // A small generator with a fixed seed: the same storm each time.
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let special = [
        "\x1b[A",
        "\x1b[B",
        "\x1b[C",
        "\x1b[D",
        "\x1b[5~",
        "\r",
        "\t",
        "\x1b",
        "\x1b[200~q\ry\x1b[201~",
        "\u{7f}",
    ];
    for round in 0..400 {
        let key = match next() % 4 {
            0 => special[usize::try_from(next()).unwrap_or(0) % special.len()].to_owned(),
            // Everything printable but what leaves: `q` leaves on purpose.
            _ => char::from(b' ' + u8::try_from(next() % 94).unwrap_or(0)).to_string().replace('q', "?"),
        };
        terminal.keys(&key);
        if round % 40 == 0 {
            let (columns, rows) = (next() % 200 + 1, next() % 60 + 1);
            terminal.resize(u16::try_from(columns).unwrap_or(80), u16::try_from(rows).unwrap_or(24));
            terminal.listen(Duration::from_millis(40));
        }
    }
    terminal.resize(100, 30);
    terminal.keys("\x1b\x1b\x1b\x1b\x1b");
    terminal.until("the screen at its new size", |screen| screen.contents().contains("here"));
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.end(), 143);
    terminal.assert_restored();
}
