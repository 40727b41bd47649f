//! The parts of clearing a namespace: what may be touched, what is there, how fast, and the sweep itself.
//! Knows Redis and the model; keeps no list of all keys, and sends no command that holds others up.

mod after;
mod guard;
mod lanes;
mod nodes;
mod pace;
mod preview;
mod probe;
pub(super) mod renew;
mod seat;
mod server;
mod strain;
mod sweep;
mod tally;
mod wire;
mod words;

pub(super) use guard::Guard;
pub(super) use nodes::Holder;
pub(super) use preview::Preview;
pub(super) use probe::{Probe, ping_for_ever};
pub(super) use server::{Facts, Server, ask, number, refused, text};
pub(super) use sweep::{Kept, Sweep};
pub(super) use tally::{End, Tally};
pub(super) use words::{Felt, MOST, lines, outcome, running, warnings};
