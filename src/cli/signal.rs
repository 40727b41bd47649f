//! What ends a command from outside.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for SIGINT, SIGTERM or SIGHUP and gives the exit code that scripts expect after it.
pub(super) async fn ended() -> u8 {
    let listen = |kind: SignalKind| async move {
        match signal(kind) {
            Ok(mut it) => {
                it.recv().await.map_or(1, |()| 128 + u8::try_from(kind.as_raw_value()).unwrap_or(0))
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        code = listen(SignalKind::interrupt()) => code,
        code = listen(SignalKind::terminate()) => code,
        code = listen(SignalKind::hangup()) => code,
    }
}

/// Tells of every SIGTSTP, which then no longer stops the process.
pub(super) struct Holds(Option<Signal>);

impl Holds {
    /// Listens from now on.
    pub(super) fn listen() -> Self {
        Self(signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw())).ok())
    }

    /// The next one.
    pub(super) async fn next(&mut self) {
        if let Some(it) = &mut self.0
            && it.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
