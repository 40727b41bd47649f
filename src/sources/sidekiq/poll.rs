//! The poll of all Sidekiq queues of one database.

use redis::Value;
use tokio::time::Instant;

use super::super::heads::{QUEUES, ServerClock};
use super::super::resp::{self, Resp};
use super::super::{BoxFuture, Source};
use super::layout;
use crate::config::TargetSpec;
use crate::model::{Missing, PollError, QueueAge, QueueSample, Reading, Sample, TargetId};

/// Processes read of one target.
const PROCESSES: usize = 500;

/// Asks for everything in one round trip; names of the round before are used, and read anew.
pub(super) struct SidekiqSource {
    id: TargetId,
    connection: Resp,
    configured: Vec<String>,
    clock: ServerClock,
    queues: Vec<String>,
    left_out: u32,
    processes: Vec<String>,
}

impl SidekiqSource {
    pub(super) fn new(spec: &TargetSpec) -> Result<Self, String> {
        Ok(Self {
            id: spec.id.clone(),
            connection: Resp::new(spec)?,
            configured: spec.queues.clone(),
            clock: ServerClock::default(),
            queues: Vec::new(),
            left_out: 0,
            processes: Vec::new(),
        })
    }

    async fn sample(&mut self) -> Result<QueueSample, PollError> {
        if self.clock.now().is_none() {
            let mut pipeline = redis::pipe();
            layout::ask_all(&mut pipeline, None);
            let answers = self.connection.ask(&pipeline).await?.values;
            resp::all_allowed(&answers, layout::RULE)?;
            self.take_names(&answers);
        }
        let mut pipeline = redis::pipe();
        layout::ask_all(&mut pipeline, self.clock.now());
        for identity in &self.processes {
            layout::ask_process(&mut pipeline, identity);
        }
        for name in &self.queues {
            layout::ask_queue(&mut pipeline, name);
        }
        let answers = self.connection.ask(&pipeline).await?.values;
        resp::all_allowed(&answers, layout::RULE)?;
        let (all, rest) = answers.split_at(layout::FOR_ALL.min(answers.len()));
        let (processes, queues) = rest.split_at((self.processes.len() * layout::PER_PROCESS).min(rest.len()));
        let processes: Vec<_> = processes
            .chunks(layout::PER_PROCESS)
            .filter_map(|values| layout::process(values, self.clock.now()))
            .collect();
        let mut sample = QueueSample {
            workers: Some(layout::threads(&processes)),
            shared: layout::shared(all),
            left_out: self.left_out,
            ..QueueSample::default()
        };
        for (name, values) in self.queues.iter().zip(queues.chunks(layout::PER_QUEUE)) {
            let Some((mut queue, since)) = layout::queue(name, values) else {
                let why = format!("the key queue:{name} is no list");
                sample.missing.push(Missing::new(&format!("queue {name}"), &why));
                continue;
            };
            queue.oldest = match since {
                _ if queue.depth == 0 => QueueAge::Empty,
                Some(since) => self.clock.age(since),
                None => QueueAge::Unknown("the oldest job carries no time".into()),
            };
            sample.queues.push(queue);
        }
        layout::add_workers(&mut sample.queues, &processes);
        sample.shared.give_to_only(&mut sample.queues);
        self.take_names(all);
        Ok(sample)
    }

    fn take_names(&mut self, values: &[Value]) {
        let [clock, queues, processes, ..] = values else { return };
        self.clock.take(clock);
        let mut found = resp::texts(queues);
        found.sort();
        self.queues = if self.configured.is_empty() { found } else { self.configured.clone() };
        self.left_out = u32::try_from(self.queues.len().saturating_sub(QUEUES)).unwrap_or(u32::MAX);
        self.queues.truncate(QUEUES);
        self.processes = resp::texts(processes);
        self.processes.sort();
        self.processes.truncate(PROCESSES);
    }
}

impl Source for SidekiqSource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        Box::pin(async move {
            let began = Instant::now();
            let sample = self.sample().await.map(|sample| Sample::Queue(Box::new(sample)));
            vec![Reading { target: self.id.clone(), took: began.elapsed().into(), sample }]
        })
    }
}
