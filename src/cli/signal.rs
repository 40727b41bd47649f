//! What ends a command from outside.

use tokio::signal::unix::{SignalKind, signal};

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
