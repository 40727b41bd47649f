//! 6: worker queues: how long the oldest job waits, how many wait, who works.

use super::entry::trouble;
use super::{Entry, Scene, Shape, counted};
use crate::model::{QUEUE_KINDS, Queue, QueueAge, Resource, Sample};
use crate::store::{Metric, QueueRates, Target};
use crate::view::format;
use crate::view::widgets::Scale;

/// Oldest, depth, workers, dead.
pub(super) const SHAPES: (u16, &[Shape]) =
    (9, &[Shape::judged(14, 0), Shape::plain(10, 1), Shape::plain(13, 2), Shape::plain(10, 3)]);

/// Seconds from which a job's age is worth an order of its own.
const OLD: f64 = 60.0;

/// One entry a queue.
pub(super) fn entries(scene: &Scene<'_>) -> Vec<Entry> {
    let mut out = Vec::new();
    for target in scene.world.store.targets() {
        match target.sample.as_ref().map(|sample| &sample.it) {
            Some(Sample::Queue(sample)) => {
                if let Some(entry) = trouble(target, scene) {
                    out.push(entry);
                    continue;
                }
                let rates = target.queue_window();
                // Among those that are about as bad the oldest stands first, as in the verdict; while none is
                // old they keep their places.
                let mut all: Vec<&Queue> = sample.queues.iter().collect();
                let age = |queue: &Queue| queue.oldest.seconds().filter(|age| *age >= OLD).unwrap_or(0.0);
                all.sort_by(|a, b| age(b).total_cmp(&age(a)));
                for queue in all {
                    let rate = rates.and_then(|rates| rates.get(queue.name.as_str()));
                    out.push(entry(scene, target, queue, rate, sample.workers));
                }
                if sample.queues.is_empty() {
                    let mut entry = Entry::new(target.info.id.as_str());
                    let says = "no queue found there yet".to_owned();
                    entry.trouble = Some([says.clone(), says]);
                    out.push(entry);
                }
            }
            None if QUEUE_KINDS.contains(&target.info.kind.as_str()) => out.extend(trouble(target, scene)),
            _ => {}
        }
    }
    out
}

fn entry(
    scene: &Scene<'_>,
    target: &Target,
    queue: &Queue,
    rates: Option<&QueueRates>,
    all_workers: Option<u32>,
) -> Entry {
    let id = target.info.id.row(queue.name.as_str());
    let oldest = match &queue.oldest {
        QueueAge::Empty => "empty".to_owned(),
        QueueAge::Exact(age) => format!("oldest {}", format::seconds(*age)),
        QueueAge::AtLeast(age) => format!("oldest >{}", format::seconds(*age)),
        QueueAge::Unknown(_) => format!("oldest {}", format::UNKNOWN),
    };
    let workers = queue.workers.or(all_workers).map(f64::from);
    let busy = queue.busy.map_or_else(String::new, |busy| format!(", {busy} busy"));
    let flow = |rates: &QueueRates| match rates.service {
        Some(service) => {
            format!("in {} out {}", format::maybe(rates.arrival, format::rate), format::rate(service))
        }
        None if rates.growth < 0.0 => format!("shrinks {}", format::rate(-rates.growth)),
        None => format!("grows {}", format::rate(rates.growth)),
    };
    let some = |count: Option<u64>, word: &str| {
        count.filter(|count| *count > 0).map(|count| counted(Some(count as f64), word))
    };
    Entry::of(id.as_str(), target, scene)
        .weigh(Some(queue.oldest.seconds().unwrap_or(0.0) / 600.0))
        .field(oldest, scene.severity(Resource::QueueBacklog, &id))
        .plain(counted(Some(queue.depth as f64), "deep"))
        .plain(counted(workers, "workers"))
        .plain(counted(queue.dead.map(|dead| dead as f64), "dead"))
        .note(queue.paused.filter(|paused| *paused).map(|_| "paused".to_owned()))
        .note(rates.map(flow))
        .note(workers.map(|workers| format!("{} workers{busy}", format::count(workers))))
        .note(rates.and_then(|rates| rates.drain).map(|drain| format!("empty in {}", format::seconds(drain))))
        .note(some(queue.in_flight, "in flight"))
        .note(some(queue.retry, "to retry"))
        .note(some(queue.dead, "dead"))
        .course("deep", &id, Metric::Depth, Scale::AtLeast(10.0))
}
