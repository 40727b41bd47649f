//! The console's state by behaviour: keys in, effects out; no terminal, no server, no clock.

#![expect(clippy::expect_used, reason = "what a test needs and does not get fails it")]

mod bench;
mod confirm;
mod everything;
mod explain;
mod keymap;
mod palette;
mod places;
mod queues;
mod servers;
mod time;
mod world;
