//! Sees to it that a lost line ends the process. A hang-up may never be told (a parent that ignores
//! SIGHUP, sudo, a killed multiplexer), and the terminal library reads a dead terminal for ever; a
//! console nobody looks at would hold its connections on servers that need them.

use std::time::Duration;

use rustix::process::getppid;
use tokio::sync::mpsc;

use super::tty;

/// Why the console ends without being asked by a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The terminal is gone, or who started us is.
    LineLost,
    /// A signal of this number asked for it.
    Signal(u8),
}

impl Ending {
    /// The exit code a shell expects.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::LineLost => 128 + 1,
            Self::Signal(number) => 128 + number,
        }
    }
}

/// Time between two looks at who started us; a hang-up is seen at once.
const LOOK: Duration = Duration::from_millis(400);
/// What the loop is given to end in good order, an act under way included.
const GRACE: Duration = Duration::from_millis(1_000);

/// Whether the terminal is gone now.
pub(super) fn is_lost() -> bool {
    tty::is_gone(Duration::ZERO)
}

/// Watches from a thread of its own, so that nothing the loop does can hold it up.
pub(super) fn watch(ended: mpsc::Sender<Ending>) {
    std::thread::spawn(move || {
        let parent = getppid();
        while !tty::is_gone(LOOK) && getppid() == parent {}
        ended.try_send(Ending::LineLost).ok();
        std::thread::sleep(GRACE);
        tty::exit(Ending::LineLost.exit_code());
    });
}
