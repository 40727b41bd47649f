//! Lock edges into trees: who waits behind whom, and who goes on when whom is gone.
//! Pure and total: cycles, repeated edges, unknown pids and a storm of 500 waiters cost milliseconds.

mod draw;
mod forest;
mod graph;
mod tell;

pub use forest::{Forest, Node, Offer, Root, RootKind, Row};
pub use tell::{describe, who};
pub(super) use tell::{end, instead, sentence, session};
