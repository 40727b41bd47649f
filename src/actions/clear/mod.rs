//! The parts of clearing a namespace: what may be touched, what is there, how fast, and the sweep itself.
//! Knows Redis and the model; keeps no list of all keys, and sends no command that holds others up.

mod guard;
mod pace;
mod preview;
mod server;
mod sweep;

pub(super) use guard::Guard;
pub(super) use pace::{Probe, ping_for_ever};
pub(super) use preview::Preview;
pub(super) use server::{Facts, Server};
pub(super) use sweep::{End, Sweep, Tally};
