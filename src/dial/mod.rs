//! Opens connections: where a server is, how its session is set up, what its refusals mean, and the one
//! look that a poll and a plan both start from. Shared by sources and actions, so that both are bound by
//! the same limits and see the same. Knows config and model; changes nothing on a server.

mod haproxy_csv;
mod haproxy_door;
mod memcached;
mod os_user;
mod postgres;
mod postgres_activity;
mod postgres_address;
mod postgres_error;
mod redis_door;
pub mod redis_value;
mod sentinel;
mod statement;
mod varnish;
mod varnish_list;

pub use haproxy_csv::{Row as HaproxyRow, Table as HaproxyTable};
pub use haproxy_door::{HaproxyDoor, MOST as HAPROXY_MOST, ask_master as ask_haproxy_master};
pub use memcached::{MemcachedDoor, MemcachedLine};
pub use postgres::PostgresDial;
pub use postgres_activity::{Activity as PostgresActivity, text as postgres_text, time as postgres_time};
pub use redis_door::RedisDoor;
pub use statement::as_sent;
pub use varnish::VarnishDial;
pub use varnish_list::VarnishBackend;
