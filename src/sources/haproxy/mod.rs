//! HAProxy, by its statistics as CSV: over HTTP, its runtime socket, or that socket by TCP.
//!
//! Knows HAProxy's words; must not know limits, verdicts or other targets. Sends `show` commands only.

mod doctor;
mod haproxy_source;
mod parse;

pub use haproxy_source::{HaproxySource, KIND};
