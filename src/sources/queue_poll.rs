//! One poll for every queue library on Redis: a layout writes the questions and reads the answers;
//! here they are put, all in one round trip, with a second one for what only the first can name.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::time::Instant;

use super::heads::{QUEUES, ServerClock};
use super::queue_layout::{Head, Layout, Watch};
use super::queue_rest::{Asked, Rests, Told};
use super::resp::{self, Resp};
use super::{BoxFuture, Source};
use crate::config::TargetSpec;
use crate::model::words::many;
use crate::model::{
    DoctorLine, Missing, PollError, QueueAge, QueueSample, Reading, Sample, Severity, TargetId, Timestamp,
};

/// How often the keyspace is walked for new queues.
const WALK_EVERY: Duration = Duration::from_secs(30);
/// Keys of one step of that walk, and time for it at the first poll.
const STEP: u32 = 1_000;
const FIRST_WALK: Duration = Duration::from_millis(100);
/// Keys kept of a walk.
const KEYS: usize = 2 * QUEUES;

/// Bytes of the longest name of a queue: what is longer is no name, and would be drawn, kept and printed whole.
const NAME: usize = 512;

/// Polls all queues that one library keeps in one database.
pub(super) struct QueuePoll<L> {
    id: TargetId,
    connection: Resp,
    layout: L,
    configured: Vec<String>,
    names: Vec<String>,
    left_out: u32,
    /// Queues that were found and cannot be told by their names.
    nameless: usize,
    watch: Watch,
    /// The jobs at the heads of each queue, and when they were put in.
    heads: HashMap<String, Vec<(String, Timestamp)>>,
    rests: Rests,
    walk: Walk,
    looked: bool,
}

/// A slow walk over the keyspace: a step a poll, riding along.
#[derive(Default)]
struct Walk {
    keys: BTreeSet<String>,
    fresh: BTreeSet<String>,
    /// Where it stands; `None` between walks.
    cursor: Option<Vec<u8>>,
    ended: Option<Instant>,
}

impl<L: Layout> QueuePoll<L> {
    /// The source of a target, not connected yet.
    pub(super) fn boxed(spec: &TargetSpec) -> Result<Box<dyn Source>, String> {
        Ok(Box::new(Self {
            id: spec.id.clone(),
            connection: Resp::new(spec)?,
            layout: L::of(spec)?,
            configured: spec.queues.clone(),
            names: Vec::new(),
            left_out: 0,
            nameless: 0,
            watch: Watch::default(),
            heads: HashMap::new(),
            rests: Rests::default(),
            walk: Walk::default(),
            looked: false,
        }))
    }

    /// Examines a target: reachable, and whether it answers what the layout asks.
    pub(super) fn doctor(spec: &TargetSpec) -> BoxFuture<'static, Vec<DoctorLine>> {
        let layout = match L::of(spec) {
            Ok(layout) => layout,
            Err(why) => {
                let line = DoctorLine::lacking(Severity::Critical, &why, "correct the target");
                return Box::pin(async move { vec![line] });
            }
        };
        let clock = ServerClock::default();
        let mut script = redis::pipe();
        script.cmd("TIME");
        if let Some(pattern) = layout.pattern().filter(|_| spec.queues.is_empty()) {
            script.cmd("SCAN").arg(0).arg("MATCH").arg(pattern).arg("COUNT").arg(1);
        }
        layout.ask_all(&clock, &BTreeSet::new(), &mut script);
        layout.rights(&mut script);
        let names = if spec.queues.is_empty() { vec!["default".to_owned()] } else { spec.queues.clone() };
        for name in names.iter().take(QUEUES) {
            layout.ask_queue(name, &clock, &mut script);
            layout.ask_job(name, "none", &mut script);
        }
        let spec = spec.clone();
        Box::pin(async move { resp::doctor(&spec, &script, L::RULE).await })
    }

    async fn sample(&mut self) -> Result<QueueSample, PollError> {
        if !self.looked {
            self.first_look().await?;
        }
        let mut script = redis::pipe();
        let (walks, looks) = (self.begin(&mut script), self.ask_clients(&mut script));
        let own = script.len();
        self.layout.ask_all(&self.watch.clock, &self.walk.keys, &mut script);
        let shared = script.len();
        let asked = self.rests.ask(&self.layout, &self.names, &self.watch.clock, &mut script);
        let answers = self.ask(&script, own).await?;
        self.take_own(&answers[..own], walks);
        if looks {
            self.watch.clients.take(&answers[own - 1]);
        }
        let found = self.layout.take_all(&answers[own..shared], &self.walk.keys, &self.watch);
        self.watch.residency.begin();
        let mut sample = QueueSample { left_out: self.left_out, ..QueueSample::default() };
        if self.nameless > 0 {
            let queues = many(self.nameless as u64, "queue", "queues");
            let why = format!("{queues} left out: their names are over {NAME} bytes long or no UTF-8");
            sample.missing.push(Missing::new("queue names", &why));
        }
        let mut heads = Vec::new();
        let all = self.told(&asked, &answers).await?;
        for (name, told) in self.names.iter().zip(all) {
            match self.layout.queue(name, &told.answers, &mut self.watch) {
                Ok((mut queue, head)) => {
                    queue.counted_ago = told.held();
                    self.rests.keep::<L>(name, told, queue.depth > 0);
                    sample.queues.push(queue);
                    heads.push((name.clone(), head));
                }
                Err(why) => sample.missing.push(Missing::new(&format!("queue {name}"), why)),
            }
        }
        self.ask_again(heads, &mut sample).await?;
        self.layout.listen(&self.connection).await;
        self.layout.finish(&self.watch, &mut sample);
        sample.shared.give_to_only(&mut sample.queues);
        self.take_names(found);
        Ok(sample)
    }

    /// What is known of each queue: as answered, or as it still is. Where signs changed everything is asked.
    async fn told(&mut self, asked: &[Asked], answers: &[Value]) -> Result<Vec<Told>, PollError> {
        let (mut script, mut changed, mut all) = (redis::pipe(), Vec::new(), Vec::new());
        for (name, asked) in self.names.iter().zip(asked) {
            let told = self.rests.told(name, asked, answers).unwrap_or_else(|| {
                let from = script.len();
                self.layout.ask_queue(name, &self.watch.clock, &mut script);
                changed.push((all.len(), from..script.len()));
                Told::fresh(&[])
            });
            all.push(told);
        }
        if !script.is_empty() {
            let answers = self.ask(&script, 0).await?;
            for (at, range) in changed {
                all[at] = Told::fresh(&answers[range]);
            }
        }
        Ok(all)
    }

    /// Asks; `own` is how many of the questions can be refused without a loss that matters: without
    /// its clock, or not saying who is connected, a server can still be counted.
    async fn ask(&mut self, script: &Pipeline, own: usize) -> Result<Vec<Value>, PollError> {
        let answers = self.connection.ask(script).await?.values;
        resp::all_allowed(answers.get(own..).unwrap_or_default(), L::RULE)?;
        Ok(answers)
    }

    fn ask_clients(&mut self, script: &mut Pipeline) -> bool {
        self.layout.wants_clients() && self.watch.clients.ask(script)
    }

    /// The names, the clock and, where the library keeps no list, what a short walk finds.
    async fn first_look(&mut self) -> Result<(), PollError> {
        let began = Instant::now();
        loop {
            let mut script = redis::pipe();
            let walks = self.begin(&mut script);
            let own = script.len();
            self.layout.ask_all(&self.watch.clock, &self.walk.keys, &mut script);
            let answers = self.ask(&script, own - usize::from(walks)).await?;
            let known = self.walk.keys.len() + self.walk.fresh.len();
            self.take_own(&answers[..own], walks);
            let found = self.layout.take_all(&answers[own..], &self.walk.keys, &self.watch);
            self.take_names(found);
            let more = walks && (self.walk.cursor.is_some() || self.walk.keys.len() != known);
            if !more || began.elapsed() >= FIRST_WALK {
                break;
            }
            self.walk.keys.append(&mut self.walk.fresh.clone());
        }
        self.looked = true;
        Ok(())
    }

    /// Writes the poll's own questions: the clock, and a step of the walk.
    fn begin(&mut self, script: &mut Pipeline) -> bool {
        script.cmd("TIME");
        let Some(pattern) = self.layout.pattern().filter(|_| self.configured.is_empty()) else {
            return false;
        };
        if self.walk.cursor.is_none() && self.walk.ended.is_none_or(|at| at.elapsed() >= WALK_EVERY) {
            self.walk.cursor = Some(b"0".to_vec());
        }
        let Some(cursor) = &self.walk.cursor else { return false };
        script.cmd("SCAN").arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(STEP);
        true
    }

    fn take_own(&mut self, answers: &[Value], walks: bool) {
        if let Some(clock) = answers.first() {
            self.watch.clock.take(clock);
        }
        if let Some([cursor, keys]) = answers.get(1).filter(|_| walks).map(resp::list) {
            let layout = &self.layout;
            let keys = resp::texts(keys).into_iter().filter(|key| layout.keeps(key));
            self.walk.take(cursor, keys, layout.forgets());
        }
    }

    fn take_names(&mut self, mut found: Vec<String>) {
        found.sort();
        found.dedup();
        let before = found.len();
        // A letter that stands for what could not be read would lead to the key of another queue, or of none.
        found.retain(|name| name.len() <= NAME && !name.contains(char::REPLACEMENT_CHARACTER));
        self.nameless = if self.configured.is_empty() { before - found.len() } else { 0 };
        self.names = if self.configured.is_empty() { found } else { self.configured.clone() };
        self.left_out = u32::try_from(self.names.len().saturating_sub(QUEUES)).unwrap_or(u32::MAX);
        self.names.truncate(QUEUES);
    }

    /// The second round trip, where there is anything to ask: jobs newly at a head, and what the layout wants.
    async fn ask_again(
        &mut self,
        heads: Vec<(String, Head)>,
        sample: &mut QueueSample,
    ) -> Result<(), PollError> {
        let mut script = redis::pipe();
        let mut asked = Vec::new();
        for (name, head) in &heads {
            let Head::Jobs(jobs) = head else { continue };
            let known = self.heads.entry(name.clone()).or_default();
            known.retain(|(job, _)| jobs.contains(job));
            for job in jobs.iter().filter(|job| known.iter().all(|(known, _)| known != *job)) {
                self.layout.ask_job(name, job, &mut script);
                asked.push((name, job));
            }
        }
        let jobs = script.len();
        self.layout.ask_more(sample, &mut script);
        let mut answers = Vec::new();
        if !script.is_empty() {
            answers = self.connection.ask(&script).await?.values;
            resp::all_allowed(&answers, L::RULE)?;
        }
        for ((name, job), answer) in asked.into_iter().zip(&answers) {
            // A job taken in between has no time any more; the next head is asked for in its turn.
            if let Some(since) = self.layout.job_since(answer) {
                self.heads.entry(name.clone()).or_default().push((job.clone(), since));
            }
        }
        for (queue, (name, head)) in sample.queues.iter_mut().zip(heads) {
            queue.oldest = match head {
                Head::Age(age) => age,
                Head::Jobs(jobs) => self.oldest(&name, &jobs),
            };
        }
        self.layout.take_more(&answers[jobs..], &mut self.watch, sample);
        let names: BTreeSet<&String> = self.names.iter().collect();
        self.heads.retain(|name, _| names.contains(name));
        Ok(())
    }

    /// The age of the oldest of these jobs: exact when each of them has a time.
    fn oldest(&mut self, name: &str, jobs: &[String]) -> QueueAge {
        let known = self.heads.get(name).map_or(&[][..], Vec::as_slice);
        let mut seen = Duration::ZERO;
        for job in jobs {
            seen = seen.max(self.watch.residency.seen(&format!("{name} {job}"), job.as_bytes()));
        }
        match known.iter().map(|(_, since)| *since).min() {
            _ if jobs.is_empty() => QueueAge::Empty,
            Some(since) if known.len() == jobs.len() => self.watch.clock.age(since),
            Some(since) => {
                let told = self.watch.clock.age(since).seconds().unwrap_or(0.0);
                QueueAge::AtLeast(told.max(seen.as_secs_f64()))
            }
            None => QueueAge::AtLeast(seen.as_secs_f64()),
        }
    }
}

impl Walk {
    fn take(&mut self, cursor: &Value, keys: impl Iterator<Item = String>, forgets: bool) {
        for key in keys {
            if self.fresh.len() < KEYS {
                self.fresh.insert(key);
            }
        }
        self.cursor = resp::bytes(cursor).filter(|cursor| *cursor != b"0").map(<[u8]>::to_vec);
        if self.cursor.is_none() {
            let met = std::mem::take(&mut self.fresh);
            if forgets {
                // What a whole walk did not meet is gone.
                self.keys = met;
            } else {
                let room = KEYS.saturating_sub(self.keys.len());
                self.keys.extend(met.into_iter().take(room));
            }
            self.ended = Some(Instant::now());
        }
    }
}

impl<L: Layout> Source for QueuePoll<L> {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        Box::pin(async move {
            let began = Instant::now();
            let sample = self.sample().await.map(|sample| Sample::Queue(Box::new(sample)));
            vec![Reading { target: self.id.clone(), took: began.elapsed().into(), sample }]
        })
    }
}
