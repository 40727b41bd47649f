//! Puma, by its control app.
//! Knows Puma's words; must not know limits, verdicts or other targets.

mod ask;
mod stats;

use super::{Kind, app_poll};

/// Puma.
pub(super) const KIND: Kind = Kind {
    name: "puma",
    says: "Puma",
    build: |spec| app_poll::build(spec, ask::make),
    doctor: |spec| app_poll::doctor(spec, ask::make),
};
