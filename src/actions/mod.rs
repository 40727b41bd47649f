//! All code that can change a target. Nothing acts without an [`Intended`](crate::journal::Intended).

mod action;

pub use action::{Action, ProgressSink, StopFlag};
