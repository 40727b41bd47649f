//! The poll of all RQ queues of one database.

use std::collections::HashMap;

use redis::Value;
use tokio::time::Instant;

use super::super::heads::{QUEUES, ServerClock};
use super::super::resp::{self, Resp};
use super::super::{BoxFuture, Source};
use super::layout;
use crate::config::TargetSpec;
use crate::model::{Missing, PollError, QueueAge, QueueSample, Reading, Sample, TargetId, Timestamp};

/// Workers read of one target.
const WORKERS: usize = 1_000;

/// Asks for every queue in one round trip, and in a second one for the age of heads not seen before.
pub(super) struct RqSource {
    id: TargetId,
    connection: Resp,
    configured: Vec<String>,
    clock: ServerClock,
    queues: Vec<String>,
    left_out: u32,
    workers: Vec<String>,
    /// When the jobs now at the heads were put in.
    heads: HashMap<String, Option<Timestamp>>,
}

impl RqSource {
    pub(super) fn new(spec: &TargetSpec) -> Result<Self, String> {
        Ok(Self {
            id: spec.id.clone(),
            connection: Resp::new(spec)?,
            configured: spec.queues.clone(),
            clock: ServerClock::default(),
            queues: Vec::new(),
            left_out: 0,
            workers: Vec::new(),
            heads: HashMap::new(),
        })
    }

    async fn sample(&mut self) -> Result<QueueSample, PollError> {
        if self.clock.now().is_none() {
            let mut pipeline = redis::pipe();
            layout::ask_names(&mut pipeline);
            let answers = self.connection.ask(&pipeline).await?.values;
            resp::all_allowed(&answers, layout::RULE)?;
            self.take_names(&answers);
        }
        let mut pipeline = redis::pipe();
        layout::ask_names(&mut pipeline);
        for key in &self.workers {
            layout::ask_worker(&mut pipeline, key);
        }
        for name in &self.queues {
            layout::ask_queue(&mut pipeline, name, self.clock.now());
        }
        let answers = self.connection.ask(&pipeline).await?.values;
        resp::all_allowed(&answers, layout::RULE)?;

        let (names, rest) = answers.split_at(4.min(answers.len()));
        let (workers, queues) = rest.split_at(self.workers.len().min(rest.len()));
        let suspended = names.get(3).and_then(resp::count) == Some(1);
        let workers: Vec<_> =
            workers.iter().filter_map(|value| layout::worker(value, self.clock.now())).collect();
        let mut sample = QueueSample {
            workers: layout::alive(&workers),
            left_out: self.left_out,
            ..QueueSample::default()
        };
        let mut heads = Vec::new();
        for (name, values) in self.queues.iter().zip(queues.chunks(layout::PER_QUEUE)) {
            if let Some((queue, head)) = layout::queue(name, values, suspended) {
                sample.queues.push(queue);
                heads.push(head);
            } else {
                let why = format!("the key rq:queue:{name} is no list");
                sample.missing.push(Missing::new(&format!("queue {name}"), &why));
            }
        }
        layout::add_workers(&mut sample.queues, &workers);
        self.take_names(names);
        self.learn(heads.iter().flatten()).await?;
        for (queue, head) in sample.queues.iter_mut().zip(heads) {
            queue.oldest = match head {
                None => QueueAge::Empty,
                Some(job) => match self.heads.get(&job) {
                    Some(Some(since)) => self.clock.age(*since),
                    _ => QueueAge::Unknown("the job at the head carries no time".into()),
                },
            };
        }
        Ok(sample)
    }

    fn take_names(&mut self, values: &[Value]) {
        let [clock, queues, workers, ..] = values else { return };
        self.clock.take(clock);
        let mut found: Vec<_> =
            resp::texts(queues).iter().map(|key| layout::queue_name(key).to_owned()).collect();
        found.sort();
        self.queues = if self.configured.is_empty() { found } else { self.configured.clone() };
        self.left_out = u32::try_from(self.queues.len().saturating_sub(QUEUES)).unwrap_or(u32::MAX);
        self.queues.truncate(QUEUES);
        self.workers = resp::texts(workers);
        self.workers.sort();
        self.workers.truncate(WORKERS);
    }

    /// Reads when the jobs at the heads were put in, where that is not known yet.
    async fn learn(&mut self, heads: impl Iterator<Item = &String>) -> Result<(), PollError> {
        let mut known = std::mem::take(&mut self.heads);
        let mut unknown = Vec::new();
        for job in heads {
            match known.remove(job) {
                Some(since) => {
                    self.heads.insert(job.clone(), since);
                }
                None => unknown.push(job.clone()),
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        for job in &unknown {
            pipeline.cmd("HMGET").arg(format!("rq:job:{job}")).arg("enqueued_at").arg("created_at");
        }
        let answers = self.connection.ask(&pipeline).await?.values;
        for (job, value) in unknown.into_iter().zip(&answers) {
            // A job taken in between has no hash any more; it is asked again should it come back.
            if let Some(since) = layout::enqueued(value) {
                self.heads.insert(job, Some(since));
            }
        }
        Ok(())
    }
}

impl Source for RqSource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        Box::pin(async move {
            let began = Instant::now();
            let sample = self.sample().await.map(|sample| Sample::Queue(Box::new(sample)));
            vec![Reading { target: self.id.clone(), took: began.elapsed().into(), sample }]
        })
    }
}
