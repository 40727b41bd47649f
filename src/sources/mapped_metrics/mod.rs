//! A proxy or an app by the page of metrics it shows to Prometheus: which metric answers which question is
//! told by a preset, by the config, or by both.
//!
//! Knows the names of three proxies' metrics; must not know limits, verdicts or other targets.

mod mapped_source;
mod mapping;
mod means;
mod pools;

pub use mapped_source::{KIND, PrometheusSource};
