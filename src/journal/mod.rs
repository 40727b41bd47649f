//! The trail: who did what, when, to what, with what result. Written down and fsynced before the act.

mod entry;

pub use entry::Intended;
