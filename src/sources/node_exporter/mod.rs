//! Another machine, by the page of its `node_exporter`.
//!
//! Knows the exporter's names; must not know limits or other targets.

mod exporter_source;

pub(super) use exporter_source::KIND;
