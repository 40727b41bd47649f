//! Varnish, by its own programs on its own machine: counters, backends and their health, addresses from its VCL.
//! Knows Varnish's words; must not know limits, verdicts or other targets.

mod counters;
mod source;
mod vcl;

use super::{Kind, Source};
use crate::config::TargetSpec;

/// Varnish.
pub(super) const KIND: Kind = Kind {
    name: "varnish",
    says: "Varnish",
    build: |spec: &TargetSpec| source::VarnishSource::new(spec).map(|it| Box::new(it) as Box<dyn Source>),
    doctor: |spec| Box::pin(source::doctor(spec.clone())),
};
