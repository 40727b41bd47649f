//! Rates of worker queues.

use std::collections::HashMap;

use super::RowRates;
use crate::model::{Queue, QueueSample};
use crate::store::counter::{grown, per_second};

/// What one queue did between two samples.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueueRates {
    /// Jobs taken out a second; `None` where the technology counts neither these nor those put in.
    pub service: Option<f64>,
    /// Jobs put in a second: counted, or from service and the change of depth.
    pub arrival: Option<f64>,
    /// Change of depth a second.
    pub growth: f64,
    /// Jobs failed since the earlier sample.
    pub failures: Option<u64>,
    /// Jobs that joined the dead since the earlier sample.
    pub died: Option<u64>,
    /// Jobs handed out once more since the earlier sample.
    pub redelivered: Option<u64>,
    /// Seconds until it is empty at this pace; `None` when it does not shrink.
    pub drain: Option<f64>,
}

/// Rates of each queue that both samples know; under no name, what is counted for all of them together.
pub(super) fn between(a: &QueueSample, b: &QueueSample, seconds: f64) -> RowRates<QueueRates> {
    let mut rows = RowRates::new();
    let earlier: HashMap<&str, &Queue> = a.queues.iter().map(|queue| (queue.name.as_str(), queue)).collect();
    for now in &b.queues {
        if let Some(before) = earlier.get(now.name.as_str()) {
            rows.insert(now.name.to_string(), of_one(before, now, seconds));
        }
    }
    if b.shared.processed.or(b.shared.dead).is_some() {
        rows.insert(String::new(), of_one(&together(a), &together(b), seconds));
    }
    rows
}

fn of_one(before: &Queue, now: &Queue, seconds: f64) -> QueueRates {
    let growth = (now.depth as f64 - before.depth as f64) / seconds;
    let counted = before.processed.zip(now.processed).and_then(|(a, b)| per_second(a, b, seconds));
    let added = before.added.zip(now.added).and_then(|(a, b)| per_second(a, b, seconds));
    // What was put in and is nowhere any more was taken out.
    let held = |queue: &Queue| {
        Some(queue.depth as f64 + queue.in_flight? as f64 + queue.scheduled.unwrap_or(0) as f64)
    };
    let left = || Some((added? - (held(now)? - held(before)?) / seconds).max(0.0));
    let service = counted.or_else(left);
    QueueRates {
        service,
        arrival: added.or_else(|| service.map(|service| (service + growth).max(0.0))),
        growth,
        failures: before.failed.zip(now.failed).and_then(|(a, b)| grown(a, b)),
        died: before.dead.zip(now.dead).and_then(|(a, b)| grown(a, b)),
        redelivered: before.redelivered.zip(now.redelivered).and_then(|(a, b)| grown(a, b)),
        drain: (growth < 0.0 && now.depth > 0).then(|| now.depth as f64 / -growth),
    }
}

/// All queues of a target as one.
fn together(sample: &QueueSample) -> Queue {
    Queue {
        depth: sample.queues.iter().map(|queue| queue.depth).fold(0, u64::saturating_add),
        processed: sample.shared.processed,
        failed: sample.shared.failed,
        dead: sample.shared.dead,
        ..Queue::default()
    }
}
