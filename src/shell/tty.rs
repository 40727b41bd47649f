//! The operator's terminal: taken over at the start, given back on every way out.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Signal;
use rustix::termios::{OptionalActions, Termios};
use thiserror::Error;

use super::Line;

/// Own title kept aside, alternate screen, no cursor, pasted text marked as such. No mouse: selecting
/// text stays the terminal's own affair.
const ENTER: &[u8] = b"\x1b[22;2t\x1b[?1049h\x1b[?25l\x1b[?2004h";
/// The same, without the title: after somebody else stopped and continued us.
const ENTER_AGAIN: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h";
/// All of it undone, and a synchronized update ended that a death may have left open.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[m\x1b[?2004l\x1b[?25h\x1b[?1049l\x1b[23;2t";
/// Clears a title of ours where the terminal keeps none aside.
const NO_TITLE: &[u8] = b"\x1b]2;\x07";
/// Longest wait for a stalled line to take the last bytes.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Why the console cannot be opened here.
#[derive(Debug, Error)]
pub enum TtyError {
    /// Standard input or output leads elsewhere.
    #[error("the console needs a terminal, and standard {0} is none; `warroom check` prints without one")]
    NotATerminal(&'static str),
    /// It cannot move its cursor.
    #[error(
        "the terminal says that it can do nothing but print (TERM={0}); set TERM, or use `warroom check`"
    )]
    Dumb(String),
    /// The system said no.
    #[error("the terminal cannot be taken over: {0}")]
    Io(#[from] io::Error),
}

/// A terminal that was taken over. Copies share it; whoever leaves first, leaves for all.
#[derive(Clone, Debug)]
pub struct Tty(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// How it was before; `None` while it is given back.
    before: Option<Termios>,
    out: Line,
    titled: bool,
}

impl Tty {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// When there is none, or none that can show a screen.
    pub fn enter(term: Option<&str>) -> Result<Self, TtyError> {
        if !rustix::termios::isatty(io::stdin()) {
            return Err(TtyError::NotATerminal("input"));
        }
        if !rustix::termios::isatty(io::stdout()) {
            return Err(TtyError::NotATerminal("output"));
        }
        match term {
            None | Some("" | "dumb" | "unknown") => {
                return Err(TtyError::Dumb(term.unwrap_or_default().to_owned()));
            }
            Some(_) => {}
        }
        let state = State { before: None, out: Line::open()?, titled: false };
        let tty = Self(Arc::new(Mutex::new(state)));
        tty.enter_again()?;
        Ok(tty)
    }

    /// Takes it over anew: after it was given back, or after somebody else stopped and continued us.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn enter_again(&self) -> io::Result<()> {
        let mut state = self.lock();
        let now = rustix::termios::tcgetattr(io::stdin())?;
        let mut raw = now.clone();
        raw.make_raw();
        let bytes = if state.before.is_some() { ENTER_AGAIN } else { ENTER };
        if state.before.is_none() {
            state.before = Some(now);
        }
        rustix::termios::tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        state.say(bytes)
    }

    /// Gives it back as it was. Does nothing the second time; what fails is passed over, for there is
    /// nothing left to be done about it.
    pub fn leave(&self) {
        let mut state = self.lock();
        let Some(before) = state.before.take() else { return };
        if state.titled {
            state.say(NO_TITLE).ok();
            state.titled = false;
        }
        state.say(LEAVE).ok();
        // Not after draining: a stalled line would hold up the end.
        rustix::termios::tcsetattr(io::stdin(), OptionalActions::Now, &before).ok();
    }

    /// Remembers that a title was set, so that it goes with us.
    pub fn titled(&self) {
        self.lock().titled = true;
    }

    /// Columns and rows, 80 x 24 where the terminal does not tell.
    pub fn size() -> (u16, u16) {
        match rustix::termios::tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
            _ => (80, 24),
        }
    }

    /// Hands the terminal to the shell until we are continued, with the whole group of processes, so
    /// that a script around us stops too. Where nobody could continue us (a group without a shell, as
    /// in `tmux new warroom`) the system passes the signal over, and we come back at once.
    ///
    /// # Errors
    /// When the terminal is gone afterwards.
    pub fn suspend(&self) -> io::Result<()> {
        self.leave();
        rustix::process::kill_current_process_group(Signal::TSTP)?;
        // The stop may reach this thread a little after the call returns: not a byte before it.
        std::thread::sleep(Duration::from_millis(50));
        self.enter_again()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere is the very case in which the terminal must still be given back.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Says it whole, waiting for a stalled line only so long.
    fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.send(bytes)?;
        let step = Duration::from_millis(20);
        let mut waited = Duration::ZERO;
        while !self.out.is_clear() && waited < LAST_WORDS {
            std::thread::sleep(step);
            waited += step;
            self.out.go_on()?;
        }
        Ok(())
    }
}

/// Whether the terminal is gone: hung up, closed, or no longer ours to ask.
pub(super) fn is_gone(wait: Duration) -> bool {
    let stdin = io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::empty())];
    let limit = Timespec::try_from(wait).ok();
    match rustix::event::poll(&mut fds, limit.as_ref()) {
        Ok(0) | Err(rustix::io::Errno::INTR) => false,
        Ok(_) => fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL),
        Err(_) => true,
    }
}

/// Ends the process at once, whatever its tasks are doing.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that ends the process, once the terminal is back"
)]
pub fn exit(code: u8) -> ! {
    std::process::exit(i32::from(code))
}
