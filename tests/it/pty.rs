//! A terminal for the tests: a real pseudo-terminal whose screen is read without a thread, so that its
//! far end can be closed at any moment, as a lost SSH line closes it.
#![expect(clippy::expect_used, clippy::panic, reason = "only tests call these")]
#![expect(clippy::disallowed_methods, reason = "a test waits by the clock until it gives up")]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};
use warroom::lab::Folder;

/// Longest wait for anything a test waits for.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Becomes the program, once its process is written down where the test finds it.
const BECOME: &str = r#"echo $$ >"$0" && exec "$@""#;
/// Starts it, writes down how it ended and stays: a terminal whose session leader is gone is hung up, and
/// kernels differ in what they then make of its settings and of what is read from it. What ctrl-c ends is
/// the program alone.
const KEEP: &str =
    r#"trap : INT; sh -c "$0" "$@"; echo $? >"$1.end.new" && mv "$1.end.new" "$1.end"; exec sleep 3600"#;

/// A program in a terminal.
pub(super) struct Terminal {
    /// `None` once the line is cut.
    master: Option<File>,
    /// Kept open, to see how the terminal is left.
    slave: OwnedFd,
    before: Termios,
    /// The leader of the terminal's session: the program itself, or who started it.
    child: Child,
    led: bool,
    /// Nothing more can come from the program.
    deaf: bool,
    screen: vt100::Parser,
    /// Every byte the program has written.
    pub(super) raw: Vec<u8>,
    /// Its home, with the config; gone with it.
    home: Folder,
}

/// How to start it.
pub(super) struct Start<'a> {
    /// Columns and rows.
    pub(super) size: (u16, u16),
    /// The config's text.
    pub(super) config: &'a str,
    /// Environment beside `TERM=xterm-256color`.
    pub(super) env: &'a [(&'a str, &'a str)],
    /// Words before the program, that run it: `tmux new`.
    pub(super) by: &'a [&'a str],
    /// Its arguments after the config.
    pub(super) args: &'a [&'a str],
    /// Who leads the terminal's session.
    pub(super) leader: Leader<'a>,
}

/// Who leads a terminal's session.
pub(super) enum Leader<'a> {
    /// A shell that outlives the program and keeps the terminal, as a login shell does.
    Shell,
    /// The program itself: the terminal is hung up with its end.
    Itself,
    /// A shell that does the first before and the second after it: `trap '' HUP`, `sleep 60`.
    Script(&'a str, &'a str),
}

impl Default for Start<'_> {
    fn default() -> Self {
        let config = "[[target]]\nid = \"here\"\nkind = \"host\"\n";
        Self { size: (80, 24), config, env: &[], by: &[], args: &[], leader: Leader::Shell }
    }
}

impl Terminal {
    /// Opens the console with the default settings.
    pub(super) fn open() -> Self {
        Self::start(&Start::default())
    }

    /// Opens the console.
    pub(super) fn start(start: &Start<'_>) -> Self {
        let home = Folder::temporary("pty").expect("a folder");
        let config = home.path().join("warroom.toml");
        std::fs::write(&config, start.config).expect("the config is written");
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("a pseudo-terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("its far end");
        let name = ptsname(&master, Vec::new()).expect("its name").into_string().expect("text");
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
        let slave = rustix::fs::open(&name, flags, rustix::fs::Mode::empty()).expect("its far end opens");
        let (ws_col, ws_row) = start.size;
        tcsetwinsize(&slave, Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 }).expect("its size");
        rustix::io::ioctl_fionbio(&master, true).expect("reads do not wait");
        let before = tcgetattr(&slave).expect("its settings");

        let program = [start.by, &[env!("CARGO_BIN_EXE_warroom")]].concat();
        let mut command = Command::new("setsid");
        command.arg("--ctty");
        let noted = home.path().join("pid");
        match start.leader {
            Leader::Shell => command.args(["sh", "-c", KEEP, BECOME]).arg(&noted).args(program),
            Leader::Itself => command.args(program),
            Leader::Script(before, after) => {
                let script = format!("{before}; sh -c '{BECOME}' \"$@\"; {after}");
                command.args(["sh", "-c", &script, "sh"]).arg(&noted).args(program)
            }
        };
        command.arg("--config").arg(&config).args(start.args);
        command.env_clear().env("PATH", std::env::var_os("PATH").expect("a path"));
        command.env("HOME", home.path()).env("TERM", "xterm-256color").envs(start.env.iter().copied());
        let end = || Stdio::from(slave.try_clone().expect("one more"));
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("it starts");
        Self {
            master: Some(File::from(master)),
            slave,
            before,
            child,
            led: matches!(start.leader, Leader::Shell),
            deaf: false,
            screen: vt100::Parser::new(some(ws_row), some(ws_col), 0),
            raw: Vec::new(),
            home,
        }
    }

    /// Waits until the screen, read as text, is so.
    pub(super) fn until(&mut self, what: &str, so: impl Fn(&vt100::Screen) -> bool) {
        let began = Instant::now();
        while !so(self.screen.screen()) {
            assert!(
                began.elapsed() < PATIENCE,
                "waited in vain for {what}{}; the screen says\n{}",
                self.ended().map(|code| format!(" (it ended with {code})")).unwrap_or_default(),
                self.screen.screen().contents()
            );
            self.read(Duration::from_millis(50));
        }
    }

    /// Waits until this text is on the screen.
    pub(super) fn until_says(&mut self, text: &str) {
        self.until(text, |screen| screen.contents().contains(text));
    }

    /// Takes in what the program writes within this time and returns how many bytes that was.
    pub(super) fn listen(&mut self, time: Duration) -> usize {
        let (began, had) = (Instant::now(), self.raw.len());
        while began.elapsed() < time {
            self.read(Duration::from_millis(20));
        }
        self.raw.len() - had
    }

    /// Types.
    pub(super) fn keys(&mut self, keys: &str) {
        let mut rest = keys.as_bytes();
        while !rest.is_empty() {
            let master = self.master.as_mut().expect("the line stands");
            match master.write(rest) {
                Ok(taken) => rest = &rest[taken..],
                Err(err) if err.kind() == ErrorKind::WouldBlock => self.read(Duration::from_millis(20)),
                Err(err) if err.kind() == ErrorKind::Interrupted => {}
                Err(err) => panic!("typing: {err}"),
            }
        }
    }

    /// Types a little without reading, as somebody whose line is stalled; what there is no room for is lost.
    pub(super) fn type_only(&mut self, keys: &str) {
        self.master.as_mut().expect("the line stands").write_all(keys.as_bytes()).ok();
    }

    /// Gives the terminal another size.
    pub(super) fn resize(&mut self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(self.master.as_ref().expect("the line stands"), size).expect("its size");
        self.screen.screen_mut().set_size(some(rows), some(columns));
    }

    /// Sends a signal to what was started.
    pub(super) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("it is there");
    }

    /// The program's process; it must have shown something.
    pub(super) fn pid(&self) -> Pid {
        let noted = std::fs::read_to_string(self.home.path().join("pid")).ok();
        let noted = noted.and_then(|text| Pid::from_raw(text.trim().parse().ok()?));
        noted.unwrap_or_else(|| Pid::from_child(&self.child))
    }

    /// Cuts the line, as a dropped SSH connection does.
    pub(super) fn cut(&mut self) {
        self.master = None;
    }

    /// Waits for its end and takes in its last words. The code is 128 and the signal's number where a
    /// signal ended it.
    pub(super) fn end(&mut self) -> i32 {
        let began = Instant::now();
        loop {
            if let Some(code) = self.ended() {
                self.read(Duration::ZERO);
                return code;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end; {}", self.screen.screen().contents());
            self.read(Duration::from_millis(10));
        }
    }

    fn ended(&mut self) -> Option<i32> {
        let told = self.home.path().join("pid.end");
        if let Some(code) = std::fs::read_to_string(told).ok().and_then(|code| code.trim().parse().ok()) {
            return Some(code);
        }
        let status = self.child.try_wait().expect("it is ours")?;
        assert!(!self.led, "the shell that keeps the terminal ended before the program: {status}");
        status.code().or_else(|| Some(128 + status.signal()?))
    }

    /// The screen as it is.
    pub(super) fn screen(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    /// Asserts that the terminal is as it was before, to the last flag.
    pub(super) fn assert_restored(&self) {
        let now = tcgetattr(&self.slave).expect("its settings");
        assert_eq!(format!("{now:?}"), format!("{:?}", self.before), "the terminal's settings");
        let screen = self.screen();
        assert!(!screen.alternate_screen(), "the alternate screen was left");
        assert!(!screen.hide_cursor(), "the cursor is shown");
        assert!(!screen.bracketed_paste(), "pasted text is no longer marked");
        let told = |sequence: &str| {
            self.raw.windows(sequence.len()).rposition(|window| window == sequence.as_bytes())
        };
        assert!(told("\x1b[?2026l") >= told("\x1b[?2026h"), "the last synchronized update was ended");
        assert_eq!(told("\x1b[?1000h"), None, "the mouse is left alone");
    }

    /// Asserts that the terminal is taken over.
    pub(super) fn assert_taken(&self) {
        let now = tcgetattr(&self.slave).expect("its settings");
        assert_ne!(format!("{now:?}"), format!("{:?}", self.before), "the terminal is raw");
        assert!(self.screen().alternate_screen() && self.screen().hide_cursor());
    }

    fn read(&mut self, wait: Duration) {
        let Some(master) = self.master.as_mut().filter(|_| !self.deaf) else {
            std::thread::sleep(wait);
            return;
        };
        let wait = Timespec::try_from(wait).expect("a short wait");
        let mut ready = [PollFd::new(&*master, PollFlags::IN)];
        match rustix::event::poll(&mut ready, Some(&wait)) {
            // Another test's child has ended: tokio's handler of that signal runs on any thread.
            Ok(_) | Err(Errno::INTR) => {}
            Err(err) => panic!("watching the terminal: {err}"),
        }
        let mut bytes = vec![0; 64 << 10];
        loop {
            match master.read(&mut bytes) {
                Ok(0) => {
                    self.deaf = true;
                    break;
                }
                Ok(taken) => {
                    self.raw.extend_from_slice(&bytes[..taken]);
                    self.screen.process(&bytes[..taken]);
                    let asks = bytes[..taken].windows(4).any(|window| window == b"\x1b[6n");
                    assert!(!asks, "it asked for the cursor: over a slow line that costs seconds");
                }
                Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                Err(err) if err.kind() == ErrorKind::Interrupted => {}
                // Nobody is left at the far end.
                Err(err) if Errno::from_io_error(&err) == Some(Errno::IO) => {
                    self.deaf = true;
                    break;
                }
                Err(err) => panic!("reading the terminal: {err}"),
            }
        }
    }
}

fn some(size: u16) -> NonZeroU16 {
    NonZeroU16::new(size).expect("a screen has a size")
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The whole session, a shell and what it started included.
        rustix::process::kill_process_group(Pid::from_child(&self.child), Signal::KILL).ok();
        rustix::process::kill_process(self.pid(), Signal::KILL).ok();
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
