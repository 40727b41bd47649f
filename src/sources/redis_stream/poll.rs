//! The poll of streams: one round trip for the groups, one for what each of them has before it.

use redis::Value;
use tokio::time::Instant;

use super::super::heads::{QUEUES, ServerClock};
use super::super::resp::{self, Resp};
use super::super::{BoxFuture, Source};
use super::RULE;
use super::layout::{self, Group};
use crate::config::TargetSpec;
use crate::model::{Missing, PollError, Queue, QueueAge, QueueSample, Reading, SafeText, Sample, TargetId};

/// Asks for all streams; every group of a stream is a queue of its own.
pub(super) struct StreamSource {
    id: TargetId,
    connection: Resp,
    names: Vec<String>,
    left_out: u32,
    clock: ServerClock,
}

impl StreamSource {
    pub(super) fn new(spec: &TargetSpec) -> Result<Self, String> {
        if spec.queues.is_empty() {
            return Err("names no stream: set queues = [\"key\", …] to the streams to watch".into());
        }
        Ok(Self {
            id: spec.id.clone(),
            connection: Resp::new(spec)?,
            names: spec.queues.iter().take(QUEUES).cloned().collect(),
            left_out: u32::try_from(spec.queues.len().saturating_sub(QUEUES)).unwrap_or(u32::MAX),
            clock: ServerClock::default(),
        })
    }

    async fn sample(&mut self) -> Result<QueueSample, PollError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("TIME");
        for name in &self.names {
            layout::ask_stream(&mut pipeline, name);
        }
        let answers = self.connection.ask(&pipeline).await?.values;
        resp::all_allowed(answers.get(1..).unwrap_or_default(), RULE)?;
        let Some((clock, rest)) = answers.split_first() else { return Ok(QueueSample::default()) };
        self.clock.take(clock);
        let mut sample = QueueSample { left_out: self.left_out, ..QueueSample::default() };
        let mut all = Vec::new();
        for (stream, values) in self.names.iter().zip(rest.chunks(2)) {
            let [length, groups] = values else { continue };
            let Some(length) = resp::count(length) else {
                sample.missing.push(Missing::new(&format!("queue {stream}"), "the key is no stream"));
                continue;
            };
            let groups = layout::groups(stream, groups);
            if groups.is_empty() {
                let why = "no consumer group: what was read of it is not known to the server";
                sample.missing.push(Missing::new(&format!("readers of {stream}"), why));
                let oldest =
                    if length == 0 { QueueAge::Empty } else { QueueAge::Unknown("no consumer group".into()) };
                let name = SafeText::new(stream);
                sample.queues.push(Queue { name, depth: length, oldest, ..Queue::default() });
            }
            let alone = groups.len() == 1;
            all.extend(groups.into_iter().map(|group| (group, alone)));
        }
        if all.len() > QUEUES {
            sample.left_out += u32::try_from(all.len() - QUEUES).unwrap_or(u32::MAX);
            all.truncate(QUEUES);
        }
        if all.is_empty() {
            return Ok(sample);
        }
        let mut pipeline = redis::pipe();
        for (group, _) in &all {
            layout::ask_group(&mut pipeline, group);
        }
        let answers = self.connection.ask(&pipeline).await?.values;
        resp::all_allowed(&answers, RULE)?;
        for ((group, alone), values) in all.iter().zip(answers.chunks(layout::PER_GROUP)) {
            sample.queues.push(self.queue(group, *alone, values));
        }
        Ok(sample)
    }

    fn queue(&self, group: &Group, alone: bool, values: &[Value]) -> Queue {
        let name = if alone { group.stream.clone() } else { format!("{}/{}", group.stream, group.name) };
        let [waiting, behind, consumers] = values else {
            return Queue { name: SafeText::new(&name), ..Queue::default() };
        };
        let depth = group.lag.unwrap_or(resp::list(waiting).len() as u64);
        let (alive, stale) = layout::consumers(consumers);
        Queue {
            name: SafeText::new(&name),
            depth,
            oldest: match layout::first_entry(waiting) {
                _ if depth == 0 => QueueAge::Empty,
                Some(since) => self.clock.age(since),
                None => QueueAge::Unknown("its entries carry ids that are no times".into()),
            },
            in_flight: Some(group.pending),
            orphaned: Some(resp::list(behind).len() as u64),
            processed: group.read,
            // One that waits in a blocking read without end looks idle too: only where entries wait
            // for all of them is none of them alive.
            workers: (alive > 0 || depth > 0).then_some(alive),
            stale_workers: (depth > 0).then_some(stale),
            ..Queue::default()
        }
    }
}

impl Source for StreamSource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        Box::pin(async move {
            let began = Instant::now();
            let sample = self.sample().await.map(|sample| Sample::Queue(Box::new(sample)));
            vec![Reading { target: self.id.clone(), took: began.elapsed().into(), sample }]
        })
    }
}
