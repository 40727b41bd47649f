//! One binary for all integration tests: they start their own real servers on free loopback ports.

mod app;
mod blocking;
mod cli;
mod config;
mod haproxy;
mod host;
mod incidents;
mod journal;
mod lab;
mod lab_faults;
mod postgres;
mod postgres_actions;
mod postgres_detect;
mod postgres_source;
mod postgres_versions;
mod pty;
mod queue_layouts;
mod queues;
mod queues_celery;
mod redis;
mod redis_clear;
mod redis_detect;
mod requests_truth;
mod terminal;
mod tidy;
mod view;
