//! The signals that end the console, and the one that says it was continued.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::Ending;

/// Tells of every signal that ends the console.
///
/// # Errors
/// When the system gives no handler.
pub(super) fn endings(tell: &mpsc::Sender<Ending>) -> io::Result<()> {
    let kinds = [
        (SignalKind::hangup(), 1),
        (SignalKind::interrupt(), 2),
        (SignalKind::quit(), 3),
        (SignalKind::terminate(), 15),
    ];
    for (kind, number) in kinds {
        let mut signal = signal(kind)?;
        let tell = tell.clone();
        tokio::spawn(async move {
            while signal.recv().await.is_some() {
                tell.send(Ending::Signal(number)).await.ok();
            }
        });
    }
    Ok(())
}

/// Comes when somebody has stopped and continued us.
///
/// # Errors
/// When the system gives no handler.
pub(super) fn continued() -> io::Result<Signal> {
    // SIGCONT, 18 on Linux whatever the machine but on MIPS and SPARC.
    signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))
}
