//! What is concluded: one rule a file, each pure, and the judge that holds them steady and ties
//! symptoms to causes. Knows store, config and model; asks nobody anything.

mod advice;
mod assessment;
mod behind;
pub mod blocking;
mod cache_clients;
mod cache_hits;
mod cache_latency;
mod cache_memory;
mod cache_service;
mod cache_waste;
mod cause;
mod cluster;
mod comeback;
mod connections;
mod cpu;
mod db_load;
mod disk;
mod drain;
mod earlier;
mod judge;
mod logins;
mod machine;
mod memory;
mod network;
mod pool_door;
mod pool_wait;
mod proxy_backends;
mod proxy_process;
mod queue_backlog;
mod queue_broker;
mod queue_jobs;
mod queue_workers;
mod reach;
mod replay_conflicts;
mod replication;
mod request_queue;
mod root_blocker;
mod sentinel;
mod slow_queries;
mod slow_server;
mod steady;
mod target_answer;
mod vacuum;

pub use assessment::{Assessment, View};
pub use behind::Behind;
pub use comeback::{Back, Ended};
pub use judge::{Judge, Judgement, Transition};

/// One rule: looks at what is known and says how each of its targets stands.
///
/// It returns an [`Assessment`] for every target it can speak of, healthy ones included, so that
/// a resource's state shows even when nothing is wrong.
pub type Detector = fn(&View<'_>) -> Vec<Assessment>;

/// Every rule there is.
pub const DETECTORS: &[Detector] = &[
    root_blocker::detect,
    slow_queries::detect,
    db_load::detect,
    connections::detect,
    logins::detect,
    pool_door::detect,
    pool_wait::detect,
    replication::detect,
    replication::slots,
    replay_conflicts::detect,
    vacuum::detect,
    vacuum::holders,
    cache_memory::detect,
    cache_latency::detect,
    cache_clients::detect,
    cache_waste::detect,
    cluster::detect,
    sentinel::detect,
    cache_service::detect,
    cache_hits::detect,
    queue_backlog::detect,
    queue_broker::detect,
    queue_workers::detect,
    queue_jobs::detect,
    target_answer::detect,
    request_queue::detect,
    request_queue::apps,
    proxy_backends::detect,
    proxy_process::detect,
    slow_server::detect,
    cpu::detect,
    memory::detect,
    disk::detect,
    network::detect,
];
