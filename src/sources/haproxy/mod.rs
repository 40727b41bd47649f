//! HAProxy, by its statistics as CSV: over HTTP, its runtime socket, or that socket by TCP.
//!
//! Knows HAProxy's words; must not know limits, verdicts or other targets. Sends `show` commands only, and
//! asks for patience where it follows a ring.

mod doctor;
mod haproxy_source;
mod parse;
mod processes;
mod request_log;
mod ring;
mod sockets;
mod spread;

pub use haproxy_source::{HaproxySource, KIND};
