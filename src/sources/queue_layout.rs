//! What a queue library on Redis is: where it keeps what, as questions written and answers read.

use std::collections::BTreeSet;

use redis::{Pipeline, Value};

use super::BoxFuture;
use super::clients::Clients;
use super::heads::{Residency, ServerClock};
use super::resp::Resp;
use crate::config::TargetSpec;
use crate::model::{Queue, QueueAge, QueueSample, Timestamp};

/// What stands at the head of a queue.
pub(super) enum Head {
    /// Its age, as far as the layout can tell it from its answers alone.
    Age(QueueAge),
    /// The ids of the jobs that may be the oldest: their times stand elsewhere, and are asked for once.
    Jobs(Vec<String>),
}

/// What the server's answers are held against: its clock, and what stood where before.
#[derive(Default)]
pub(super) struct Watch {
    /// The server's clock.
    pub(super) clock: ServerClock,
    /// Since when each head has been in its place.
    pub(super) residency: Residency,
    /// Who is connected, for a layout that wants to know.
    pub(super) clients: Clients,
}

/// Where one library keeps what. Writes commands and reads their answers; asks nobody by itself.
pub(super) trait Layout: Sized + Send + 'static {
    /// The rule that lets a user read all of it.
    const RULE: &'static str;

    /// The layout that a target asks for.
    ///
    /// # Errors
    /// A sentence for the operator.
    fn of(spec: &TargetSpec) -> Result<Self, String>;

    /// What keys to look for where the library keeps no list of its queues: a SCAN pattern.
    fn pattern(&self) -> Option<String> {
        None
    }

    /// Whether a key that the walk found is one to keep.
    fn keeps(&self, _key: &str) -> bool {
        true
    }

    /// Whether a key is forgotten when a whole walk no longer meets it. Where an empty queue leaves
    /// no key at all, it must not be.
    fn forgets(&self) -> bool {
        true
    }

    /// Whether workers can be told by the names of their connections.
    fn wants_clients(&self) -> bool {
        false
    }

    /// Asks for what belongs to no single queue: names, workers, counts. `keys` is what the walk found.
    fn ask_all(&self, _clock: &ServerClock, _keys: &BTreeSet<String>, _script: &mut Pipeline) {}

    /// Reads it, and tells which queues there are.
    fn take_all(&mut self, _answers: &[Value], _keys: &BTreeSet<String>, _watch: &Watch) -> Vec<String> {
        Vec::new()
    }

    /// How many of the questions for one queue come first because their answers tell that something happened
    /// to it; with none, all are asked at every poll. See `queue_rest`.
    const SIGNS: usize = 0;

    /// Asks for these signs; of a queue in which nothing waited a first part of them will do.
    fn ask_signs(&self, _name: &str, _waits: bool, _script: &mut Pipeline) {}

    /// Whether there is more to ask of a queue than its signs, whatever they say.
    fn presses(&self, _name: &str) -> bool {
        false
    }

    /// Asks everything for one queue, its signs first.
    fn ask_queue(&self, name: &str, clock: &ServerClock, script: &mut Pipeline);

    /// Reads one queue; the error says why it is none.
    fn queue(
        &mut self,
        name: &str,
        answers: &[Value],
        watch: &mut Watch,
    ) -> Result<(Queue, Head), &'static str>;

    /// Asks, with one command, when a job was put in.
    fn ask_job(&self, _queue: &str, _job: &str, _script: &mut Pipeline) {}

    /// Reads the answer to that.
    fn job_since(&self, _answer: &Value) -> Option<Timestamp> {
        None
    }

    /// Asks for what only the first answers could name; rides with the questions for jobs.
    fn ask_more(&mut self, _sample: &mut QueueSample, _script: &mut Pipeline) {}

    /// Reads it.
    fn take_more(&mut self, _answers: &[Value], _watch: &mut Watch, _sample: &mut QueueSample) {}

    /// Listens to what workers say of themselves, where they do.
    fn listen<'a>(&'a mut self, _connection: &'a Resp) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    /// Adds what belongs to the whole sample: workers, shared counts, what is missing.
    fn finish(&mut self, _watch: &Watch, _sample: &mut QueueSample) {}

    /// Commands that `doctor` tries besides, on keys that need not be there.
    fn rights(&self, _script: &mut Pipeline) {}
}
