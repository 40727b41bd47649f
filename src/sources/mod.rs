//! Ask and answer: one folder a kind. Reads only; knows config and model, never a sibling, a store or an action.

mod app_door;
mod app_poll;
mod arq;
mod asynq;
mod bullmq;
mod celery;
mod clients;
mod dramatiq;
mod failed_jobs;
pub mod haproxy;
mod heads;
pub mod host;
mod laravel;
mod machine_lines;
pub mod mapped_metrics;
mod memcached;
pub mod nginx;
mod node_exporter;
mod node_metrics;
mod one_answer;
mod pgbouncer;
mod php_fpm;
mod postgres;
mod proc_text;
mod prometheus_hosts;
mod prometheus_text;
mod puma;
mod put_off;
mod queue_layout;
mod queue_poll;
mod queue_rest;
mod rabbitmq;
mod redis;
mod redis_list;
mod redis_stream;
mod resp;
mod resp_lost;
mod resque;
mod rq;
mod sidekiq;
mod source;
mod sql_queue;
mod ssh;
#[cfg(test)]
mod torn_layout;
mod unix_queue;
mod uwsgi;
mod varnish;
mod web_page;

pub use postgres::look_at_session;
pub use source::{BoxFuture, Kind, Source};

/// Every kind of target there is; a new one is a folder and a line here.
pub const KINDS: &[Kind] = &[
    host::KIND,
    ssh::KIND,
    node_exporter::KIND,
    prometheus_hosts::KIND,
    postgres::KIND,
    pgbouncer::KIND,
    redis::KIND,
    memcached::KIND,
    rq::KIND,
    celery::KIND,
    sidekiq::KIND,
    bullmq::KIND,
    dramatiq::KIND,
    arq::KIND,
    resque::KIND,
    asynq::KIND,
    laravel::KIND,
    redis_list::KIND,
    redis_stream::KIND,
    sql_queue::SQL,
    sql_queue::PROCRASTINATE,
    sql_queue::GRAPHILE_WORKER,
    sql_queue::SOLID_QUEUE,
    sql_queue::GOOD_JOB,
    sql_queue::QUE,
    sql_queue::OBAN,
    sql_queue::RIVER,
    sql_queue::PGMQ,
    rabbitmq::KIND,
    haproxy::KIND,
    nginx::KIND,
    varnish::KIND,
    uwsgi::KIND,
    puma::KIND,
    php_fpm::KIND,
    mapped_metrics::KIND,
];
