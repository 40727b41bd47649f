//! The poll of all Celery queues of one database.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::time::Instant;

use super::super::heads::{QUEUES, Residency, ServerClock};
use super::super::resp::{self, Resp};
use super::super::{BoxFuture, Source};
use super::beats::Beats;
use super::layout;
use crate::config::TargetSpec;
use crate::model::{Missing, PollError, QueueSample, Reading, Sample, TargetId};

/// How often the keyspace is walked for new bindings.
const WALK_EVERY: Duration = Duration::from_secs(30);
/// Keys of one step of that walk, and time for it at the first poll.
const STEP: u32 = 1_000;
const FIRST_WALK: Duration = Duration::from_millis(100);
/// Bindings read of one target.
const BINDINGS: usize = 200;

/// Asks for every queue in one round trip. Queue names come from the config, or from kombu's
/// bindings, which a slow walk over the keyspace finds: a step a poll, riding along.
pub(super) struct CelerySource {
    id: TargetId,
    connection: Resp,
    configured: Vec<String>,
    clock: ServerClock,
    residency: Residency,
    beats: Beats,
    bindings: BTreeSet<String>,
    queues: Vec<String>,
    left_out: u32,
    /// Where the walk stands; `None` between walks.
    cursor: Option<Vec<u8>>,
    walked: Option<Instant>,
}

impl CelerySource {
    pub(super) fn new(spec: &TargetSpec) -> Result<Self, String> {
        Ok(Self {
            id: spec.id.clone(),
            connection: Resp::new(spec)?,
            configured: spec.queues.clone(),
            clock: ServerClock::default(),
            residency: Residency::default(),
            beats: Beats::default(),
            bindings: BTreeSet::new(),
            queues: Vec::new(),
            left_out: 0,
            cursor: None,
            walked: None,
        })
    }

    async fn sample(&mut self) -> Result<QueueSample, PollError> {
        if self.clock.now().is_none() {
            self.first_look().await?;
        }
        if self.cursor.is_none() && self.walked.is_none_or(|at| at.elapsed() >= WALK_EVERY) {
            self.cursor = Some(b"0".to_vec());
        }
        let mut pipeline = redis::pipe();
        layout::ask_all(&mut pipeline, self.clock.now());
        let bindings: Vec<String> = self.bindings.iter().cloned().collect();
        for key in &bindings {
            pipeline.cmd("SMEMBERS").arg(key);
        }
        for name in &self.queues {
            layout::ask_queue(&mut pipeline, name);
        }
        let walks = self.configured.is_empty() && self.ask_step(&mut pipeline);
        let mut answers = self.connection.ask(&pipeline).await?.values;
        resp::all_allowed(&answers, layout::RULE)?;
        if walks && let Some(step) = answers.pop() {
            self.take_step(&step);
        }
        let (all, rest) = answers.split_at(layout::FOR_ALL.min(answers.len()));
        let (members, queues) = rest.split_at(bindings.len().min(rest.len()));
        if let Some(clock) = all.first() {
            self.clock.take(clock);
        }
        self.residency.begin();
        let mut sample =
            QueueSample { shared: layout::shared(all), left_out: self.left_out, ..QueueSample::default() };
        for (name, values) in self.queues.iter().zip(queues.chunks(layout::PER_QUEUE)) {
            match layout::queue(name, values, &self.clock, &mut self.residency) {
                Some(queue) => sample.queues.push(queue),
                None => sample.missing.push(Missing::new(&format!("queue {name}"), "the key is no list")),
            }
        }
        self.take_names(members);
        self.beats.listen(&self.connection).await;
        match self.beats.workers() {
            Ok((alive, processed)) => {
                sample.workers = Some(alive);
                sample.shared.processed = processed;
                if alive == 0 || sample.queues.len() == 1 {
                    // Which queues a worker serves is not told, but nobody serves all of them.
                    sample.queues.iter_mut().for_each(|queue| queue.workers = Some(alive));
                }
            }
            Err(missing) => sample.missing.push(missing),
        }
        sample.shared.give_to_only(&mut sample.queues);
        Ok(sample)
    }

    /// The clock and, where no queue is named, the bindings that a short walk finds.
    async fn first_look(&mut self) -> Result<(), PollError> {
        let began = Instant::now();
        self.cursor = Some(b"0".to_vec());
        loop {
            let mut pipeline = redis::pipe();
            pipeline.cmd("TIME");
            let walks = self.configured.is_empty() && self.ask_step(&mut pipeline);
            let answers = self.connection.ask(&pipeline).await?.values;
            resp::all_allowed(&answers, layout::RULE)?;
            if let Some(clock) = answers.first() {
                self.clock.take(clock);
            }
            if let Some(step) = answers.get(1) {
                self.take_step(step);
            }
            if !walks || self.cursor.is_none() || began.elapsed() >= FIRST_WALK {
                break;
            }
        }
        let mut pipeline = redis::pipe();
        for key in &self.bindings {
            pipeline.cmd("SMEMBERS").arg(key);
        }
        if self.bindings.is_empty() {
            self.take_names(&[]);
            return Ok(());
        }
        let members = self.connection.ask(&pipeline).await?.values;
        self.take_names(&members);
        Ok(())
    }

    fn ask_step(&self, pipeline: &mut Pipeline) -> bool {
        let Some(cursor) = &self.cursor else { return false };
        pipeline.cmd("SCAN").arg(cursor).arg("MATCH").arg("_kombu.binding.*").arg("COUNT").arg(STEP);
        true
    }

    fn take_step(&mut self, value: &Value) {
        let [cursor, keys] = resp::list(value) else { return };
        for key in resp::texts(keys).into_iter().filter(|key| layout::is_binding(key)) {
            if self.bindings.len() < BINDINGS {
                self.bindings.insert(key);
            }
        }
        self.cursor = resp::bytes(cursor).filter(|cursor| *cursor != b"0").map(<[u8]>::to_vec);
        if self.cursor.is_none() {
            self.walked = Some(Instant::now());
        }
    }

    fn take_names(&mut self, members: &[Value]) {
        let found: BTreeSet<String> = members.iter().flat_map(layout::bound).collect();
        self.queues =
            if self.configured.is_empty() { found.into_iter().collect() } else { self.configured.clone() };
        self.left_out = u32::try_from(self.queues.len().saturating_sub(QUEUES)).unwrap_or(u32::MAX);
        self.queues.truncate(QUEUES);
    }
}

impl Source for CelerySource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        Box::pin(async move {
            let began = Instant::now();
            let sample = self.sample().await.map(|sample| Sample::Queue(Box::new(sample)));
            vec![Reading { target: self.id.clone(), took: began.elapsed().into(), sample }]
        })
    }
}
