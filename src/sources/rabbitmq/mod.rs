//! RabbitMQ by its management API: queues, nodes, alarms; two requests a poll, a third while an alarm lasts.
//!
//! Knows the API and its figures, which are up to five seconds old; must not know limits or how it looks.

mod ages;
mod answer;
mod ask;
mod doctor;
mod roles;
mod source;

use super::{Kind, Source};
use crate::config::TargetSpec;

/// The kind `rabbitmq`.
pub(super) const KIND: Kind = Kind {
    name: "rabbitmq",
    says: "queues of RabbitMQ, by its management API",
    build,
    doctor: doctor::doctor,
};

fn build(spec: &TargetSpec) -> Result<Box<dyn Source>, String> {
    source::RabbitMq::new(spec).map(|source| Box::new(source) as Box<dyn Source>)
}
