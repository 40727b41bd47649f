//! Polls on time: a task a target, each with its own interval, timeout and back-off, all on a thread of
//! their own so that no answer, however long or strange, is felt at the keys. Knows sources, config and
//! model; must not know what a reading means.

mod backoff;
mod live;
mod watch;

pub use live::Live;
pub use watch::{Clock, Outlet};
