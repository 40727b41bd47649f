//! What a plain list tells of the jobs in it.

use redis::{Pipeline, Value};

use super::super::heads::{self, ServerClock};
use super::super::queue_layout::{Head, Layout, Watch};
use super::super::resp;
use crate::config::TargetSpec;
use crate::model::{Missing, Queue, QueueAge, QueueSample, SafeText};

/// Lists that the config names.
pub(super) struct Lists;

impl Layout for Lists {
    const RULE: &'static str = "+time +llen +lrange %R~*";

    fn of(spec: &TargetSpec) -> Result<Self, String> {
        if spec.queues.is_empty() {
            return Err("names no list: set queues = [\"key\", …] to the lists that hold the jobs".into());
        }
        Ok(Self)
    }

    fn ask_queue(&self, name: &str, _: &ServerClock, script: &mut Pipeline) {
        script.cmd("LLEN").arg(name);
        // Two from each end: twins beside each other cannot be told apart from one that stays.
        script.cmd("LRANGE").arg(name).arg(0).arg(1);
        script.cmd("LRANGE").arg(name).arg(-2).arg(-1);
    }

    fn queue(
        &mut self,
        name: &str,
        answers: &[Value],
        watch: &mut Watch,
    ) -> Result<(Queue, Head), &'static str> {
        let [depth, head, tail] = answers else { return Err("the server did not answer") };
        let depth = resp::count(depth).ok_or("the key is no list")?;
        let oldest = if depth == 0 { QueueAge::Empty } else { oldest(name, head, tail, watch) };
        Ok((Queue { name: SafeText::new(name), depth, ..Queue::default() }, Head::Age(oldest)))
    }

    fn finish(&mut self, _: &Watch, sample: &mut QueueSample) {
        sample.missing.push(Missing::new("workers", "a plain list does not know who serves it"));
    }
}

/// The age of the older end. Which end is taken from is not known, but a job that has been at
/// either end for a minute proves that a job has waited for a minute.
fn oldest(name: &str, head: &Value, tail: &Value, watch: &mut Watch) -> QueueAge {
    let ends = [resp::list(head), resp::list(tail)];
    let outer = [ends[0].first(), ends[1].last()];
    let carried: Vec<_> =
        outer.iter().flatten().filter_map(|value| heads::carried(resp::bytes(value)?)).collect();
    if let Some(since) = carried.iter().min()
        && carried.len() == outer.iter().flatten().count()
    {
        return watch.clock.age(*since);
    }
    let twins = ends.iter().any(|end| end.len() == 2 && end[0] == end[1]);
    if twins {
        return QueueAge::Unknown("jobs that look alike and carry no time".into());
    }
    let seen = outer.iter().zip(["head", "tail"]).filter_map(|(value, end)| {
        let job = resp::bytes((*value)?)?;
        Some(watch.residency.seen(&format!("{name} {end}"), job))
    });
    QueueAge::AtLeast(seen.max().unwrap_or_default().as_secs_f64())
}

#[cfg(test)]
mod tests {
    #[test]
    fn torn_answers_are_read_or_refused() {
        crate::sources::torn_layout::withstands::<super::Lists>("redis_list");
    }
}
