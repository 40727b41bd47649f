//! Rates of worker queues.

use super::RowRates;
use crate::model::QueueSample;
use crate::store::counter::{grown, per_second};

/// What one queue did between two samples.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueueRates {
    /// Jobs taken out a second; `None` where the technology does not count them.
    pub service: Option<f64>,
    /// Jobs put in a second, from service and the change of depth.
    pub arrival: Option<f64>,
    /// Change of depth a second.
    pub growth: f64,
    /// Jobs failed since the earlier sample.
    pub failures: Option<u64>,
    /// Jobs that joined the dead since the earlier sample.
    pub died: Option<u64>,
    /// Seconds until it is empty at this pace; `None` when it does not shrink.
    pub drain: Option<f64>,
}

/// Rates of each queue that both samples know.
pub(super) fn between(a: &QueueSample, b: &QueueSample, seconds: f64) -> RowRates<QueueRates> {
    let mut rows = RowRates::new();
    for now in &b.queues {
        let Some(before) = a.queues.iter().find(|before| before.name == now.name) else { continue };
        let growth = (now.depth as f64 - before.depth as f64) / seconds;
        let service = before.processed.zip(now.processed).and_then(|(a, b)| per_second(a, b, seconds));
        rows.insert(
            now.name.to_string(),
            QueueRates {
                service,
                arrival: service.map(|service| (service + growth).max(0.0)),
                growth,
                failures: before.failed.zip(now.failed).and_then(|(a, b)| grown(a, b)),
                died: before.dead.zip(now.dead).and_then(|(a, b)| grown(a, b)),
                drain: (growth < 0.0 && now.depth > 0).then(|| now.depth as f64 / -growth),
            },
        );
    }
    rows
}
