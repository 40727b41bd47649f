//! Ask and answer: one folder a kind. Reads only; knows config and model, never a sibling, a store or an action.

pub mod haproxy;
mod heads;
pub mod host;
mod postgres;
mod redis;
mod redis_list;
mod resp;
mod rq;
mod source;

pub use source::{BoxFuture, Kind, Source};

/// Every kind of target there is; a new one is a folder and a line here.
pub const KINDS: &[Kind] =
    &[host::KIND, postgres::KIND, redis::KIND, rq::KIND, redis_list::KIND, haproxy::KIND];
