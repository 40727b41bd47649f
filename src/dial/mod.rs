//! Opens connections: where a server is, how its session is set up, and what its refusals mean.
//! Shared by sources and actions, so that both are bound by the same limits. Knows config and model;
//! must not know what is asked over a connection or what is done with it.

mod postgres;
mod postgres_error;

pub use postgres::PostgresDial;
