//! The poll of plain lists.

use redis::Value;
use tokio::time::Instant;

use super::super::heads::{self, QUEUES, Residency, ServerClock};
use super::super::resp::{self, Resp};
use super::super::{BoxFuture, Source};
use super::RULE;
use crate::config::TargetSpec;
use crate::model::{Missing, PollError, Queue, QueueAge, QueueSample, Reading, SafeText, Sample, TargetId};

/// Asks for all lists in one round trip.
pub(super) struct ListSource {
    id: TargetId,
    connection: Resp,
    names: Vec<String>,
    left_out: u32,
    clock: ServerClock,
    residency: Residency,
}

impl ListSource {
    pub(super) fn new(spec: &TargetSpec) -> Result<Self, String> {
        if spec.queues.is_empty() {
            return Err("names no list: set queues = [\"key\", …] to the lists that hold the jobs".into());
        }
        Ok(Self {
            id: spec.id.clone(),
            connection: Resp::new(spec)?,
            names: spec.queues.iter().take(QUEUES).cloned().collect(),
            left_out: u32::try_from(spec.queues.len().saturating_sub(QUEUES)).unwrap_or(u32::MAX),
            clock: ServerClock::default(),
            residency: Residency::default(),
        })
    }

    async fn sample(&mut self) -> Result<QueueSample, PollError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("TIME");
        for name in &self.names {
            pipeline.cmd("LLEN").arg(name);
            // Two from each end: twins beside each other cannot be told apart from one that stays.
            pipeline.cmd("LRANGE").arg(name).arg(0).arg(1);
            pipeline.cmd("LRANGE").arg(name).arg(-2).arg(-1);
        }
        let answers = self.connection.ask(&pipeline).await?.values;
        resp::all_allowed(answers.get(1..).unwrap_or_default(), RULE)?;
        let Some((clock, rest)) = answers.split_first() else { return Ok(QueueSample::default()) };
        self.clock.take(clock);
        self.residency.begin();
        let mut sample = QueueSample {
            left_out: self.left_out,
            missing: vec![Missing::new("workers", "a plain list does not know who serves it")],
            ..QueueSample::default()
        };
        for (at, values) in rest.chunks(3).enumerate() {
            let Some(name) = self.names.get(at).cloned() else { break };
            let [depth, head, tail] = values else { continue };
            let Some(depth) = resp::count(depth) else {
                sample.missing.push(Missing::new(&format!("queue {name}"), "the key is no list"));
                continue;
            };
            let oldest = if depth == 0 { QueueAge::Empty } else { self.oldest(&name, head, tail) };
            sample.queues.push(Queue { name: SafeText::new(&name), depth, oldest, ..Queue::default() });
        }
        Ok(sample)
    }

    /// The age of the older end. Which end is taken from is not known, but a job that has been at
    /// either end for a minute proves that a job has waited for a minute.
    fn oldest(&mut self, name: &str, head: &Value, tail: &Value) -> QueueAge {
        let ends = [resp::list(head), resp::list(tail)];
        let outer = [ends[0].first(), ends[1].last()];
        let carried: Vec<_> =
            outer.iter().flatten().filter_map(|value| heads::carried(resp::bytes(value)?)).collect();
        if let Some(since) = carried.iter().min()
            && carried.len() == outer.iter().flatten().count()
        {
            return self.clock.age(*since);
        }
        let twins = ends.iter().any(|end| end.len() == 2 && end[0] == end[1]);
        if twins {
            return QueueAge::Unknown("jobs that look alike and carry no time".into());
        }
        let seen = outer.iter().zip(["head", "tail"]).filter_map(|(value, end)| {
            let job = resp::bytes((*value)?)?;
            Some(self.residency.seen(&format!("{name} {end}"), job))
        });
        QueueAge::AtLeast(seen.max().unwrap_or_default().as_secs_f64())
    }
}

impl Source for ListSource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        Box::pin(async move {
            let began = Instant::now();
            let sample = self.sample().await.map(|sample| Sample::Queue(Box::new(sample)));
            vec![Reading { target: self.id.clone(), took: began.elapsed().into(), sample }]
        })
    }
}
