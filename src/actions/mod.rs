//! All code that can change a target. Nothing acts without an [`Intended`](crate::journal::Intended).

mod action;
mod cancel_backend;
mod clear;
mod clear_namespace;
mod kept_session;
mod memcached_version;
mod pause_queue;
mod plan_id;
mod postgres_actions;
mod postgres_look;
mod postgres_plan;
mod refusals;
mod rollback_prepared;
mod server_look;
mod set_server;
mod terminate_backend;
mod varnish_health;

pub use action::{Action, ProgressSink, StopFlag};
pub use clear_namespace::RedisActions;
pub use memcached_version::MemcachedActions;
pub use pause_queue::QueueActions;
pub use plan_id::plan_id;
pub use postgres_actions::PostgresActions;
pub use set_server::HaproxyActions;
pub use varnish_health::VarnishActions;

use crate::config::TargetSpec;

/// Makes what can act on a target of one kind; connects to nothing yet. The error is a sentence.
pub type MakeAction = fn(&TargetSpec) -> Result<Box<dyn Action>, String>;

/// What can act, by the kind of target it acts on.
pub const ACTIONS: &[(&str, MakeAction)] = &[
    ("postgres", |spec| Ok(Box::new(PostgresActions::new(spec)))),
    ("redis", |spec| Ok(Box::new(RedisActions::new(spec)))),
    ("memcached", |spec| Ok(Box::new(MemcachedActions::new(spec)?))),
    ("haproxy", |spec| Ok(Box::new(HaproxyActions::new(spec)))),
    ("varnish", |spec| Ok(Box::new(VarnishActions::new(spec)?))),
    ("rq", |spec| Ok(Box::new(QueueActions::new(spec)))),
    ("asynq", |spec| Ok(Box::new(QueueActions::new(spec)))),
    ("solid_queue", |spec| Ok(Box::new(QueueActions::new(spec)))),
    ("good_job", |spec| Ok(Box::new(QueueActions::new(spec)))),
    ("river", |spec| Ok(Box::new(QueueActions::new(spec)))),
    ("resque", |spec| Ok(Box::new(QueueActions::new(spec)))),
    ("bullmq", |spec| Ok(Box::new(QueueActions::new(spec)))),
];
