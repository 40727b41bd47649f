//! Free loopback ports.

use std::net::TcpListener;

use super::LabError;

/// A port of 127.0.0.1 that nobody listened on a moment ago.
///
/// # Errors
/// The system has no port left to give.
pub fn free_port() -> Result<u16, LabError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(LabError::NoPort)?;
    Ok(listener.local_addr().map_err(LabError::NoPort)?.port())
}
