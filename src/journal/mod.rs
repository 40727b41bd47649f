//! The trail: who did what, when, to what, with what result. Written down and fsynced before the act.
//! Knows the model and one file; must not know what an action does, nor read a clock.

mod actor;
mod entry;
mod reader;
mod writer;

pub use actor::actor;
pub use entry::{Entry, EntryKind, Intended};
pub use reader::{Reader, Tail};
pub use writer::{Author, Journal, JournalError};
