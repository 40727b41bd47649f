//! uWSGI, by its stats server: one connection, one document.
//! Knows uWSGI's words; must not know limits, verdicts or other targets.

mod ask;
mod stats;

use super::{Kind, app_poll};

/// uWSGI.
pub(super) const KIND: Kind = Kind {
    name: "uwsgi",
    says: "uWSGI",
    build: |spec| app_poll::build(spec, ask::make),
    doctor: |spec| app_poll::doctor(spec, ask::make),
};
