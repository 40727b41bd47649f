//! How PostgreSQL would run a statement: finds its text, has the server plan it, and tells the plan.
//!
//! Runs nothing: never `ANALYZE`, in a read-only transaction that is rolled back, with tight limits on
//! time and on waiting for locks. Knows dial, config and model; changes nothing on a server.

mod ask;
mod find;
mod guard;
mod parse;
mod refusal;
mod sizes;

pub use ask::explain;
