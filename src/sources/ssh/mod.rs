//! Another machine, read through the system's own `ssh` with the user's own configuration: nothing is
//! installed there and nothing is left behind.
//!
//! Knows how to keep one remote shell open and what to ask it; must not know limits or other targets.

mod address;
mod answer;
mod refusal;
mod remote_shell;
mod ssh_source;

pub(super) use ssh_source::KIND;
