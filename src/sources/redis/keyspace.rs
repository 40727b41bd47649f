//! What the keyspace holds, learnt slowly: a batch of names now and then, a few of them looked into by each
//! poll. Never walks it as a whole, never asks for names by pattern.

use redis::{Pipeline, Value};

use super::super::resp;
use super::inside::{Inside, QUESTIONS};
use super::large::Large;
use super::share::{Estimate, Shares, is_bare};
use crate::model::{CacheSample, KeySizes, Namespace, NamespaceSample, SafeText};

/// Every so many polls a batch of names is asked for.
const EVERY: u64 = 5;
/// Names in a batch: a quarter of a millisecond of the server's time.
const NAMES: u32 = 500;
/// Keys of a batch that are looked into: some from all over it, and some of each configured namespace.
const ANY: usize = 28;
const OF_EACH: usize = 3;
const MOST: usize = 40;

/// The sample of a keyspace.
pub(super) struct Keyspace {
    cursor: Vec<u8>,
    batches: usize,
    shares: Shares,
    inside: Inside,
    large: Large,
    /// Keys that are looked into by the poll under way, and whether they are of the sample.
    asked: Vec<(Vec<u8>, bool)>,
    /// Hits and misses as the server told them last.
    last: (u64, u64),
}

impl Keyspace {
    pub(super) fn new(namespaces: Vec<Namespace>) -> Self {
        Self {
            cursor: b"0".to_vec(),
            batches: 0,
            shares: Shares::new(namespaces),
            inside: Inside::default(),
            large: Large::default(),
            asked: Vec::new(),
            last: (0, 0),
        }
    }

    /// Another server answers now.
    pub(super) fn forget(&mut self) {
        self.shares.forget();
        self.inside.forget();
        self.large = Large::default();
        self.cursor = b"0".to_vec();
        self.last = (0, 0);
    }

    /// Whether this poll asks for a batch of names.
    pub(super) const fn is_time(polls: u64) -> bool {
        polls.is_multiple_of(EVERY)
    }

    /// Asks for a batch of names.
    pub(super) fn ask_names(&self, pipeline: &mut Pipeline) {
        pipeline.cmd("SCAN").arg(&self.cursor).arg("COUNT").arg(NAMES);
    }

    /// Takes the batch in; the database has so many keys.
    pub(super) fn take_names(&mut self, value: &Value, total: u64) {
        let [cursor, keys] = resp::list(value) else { return };
        if let Some(cursor) = resp::bytes(cursor) {
            self.cursor = cursor.to_vec();
        }
        let keys: Vec<_> = resp::list(keys).iter().filter_map(resp::bytes).collect();
        self.shares.add(total, keys.iter().copied());
        self.large.line_up(keys.iter().copied());
        let namespaces = self.shares.namespaces();
        let each = namespaces.iter().flat_map(|namespace| {
            keys.iter().filter(|key| key.starts_with(namespace.prefix.as_bytes())).take(OF_EACH)
        });
        // Others of a small keyspace each time.
        self.batches += 1;
        let step = keys.len().div_ceil(ANY).max(1);
        let any = keys.iter().skip(self.batches % step).step_by(step);
        let mut wanted: Vec<_> = any.chain(each).take(MOST).map(|key| key.to_vec()).collect();
        wanted.sort_unstable();
        wanted.dedup();
        self.inside.want(wanted.into_iter());
    }

    /// Asks what a few keys are like, and how large many are.
    pub(super) fn ask_inside(&mut self, pipeline: &mut Pipeline) {
        let sampled = self.inside.next().into_iter().map(|key| (key, true));
        self.asked = sampled.chain(self.large.next().into_iter().map(|key| (key, false))).collect();
        for (key, _) in &self.asked {
            Inside::ask(pipeline, key);
        }
        self.large.ask(pipeline);
    }

    /// Takes in what they are like; the first refusal, if there is one.
    pub(super) fn take_inside(&mut self, answers: &[Value]) -> Option<(String, String)> {
        let asked = std::mem::take(&mut self.asked);
        let (looks, sizes) = answers.split_at(answers.len().min(asked.len() * QUESTIONS));
        let mut refusal = None;
        for ((key, is_sampled), answers) in asked.iter().zip(looks.chunks(QUESTIONS)) {
            match self.inside.take(key, answers, *is_sampled) {
                Ok(Some(look)) => self.large.note(key, &look.kind, look.ttl, look.bytes),
                Ok(None) => self.large.forget(key),
                Err(why) => refusal = refusal.or(Some(why)),
            }
        }
        let refused = self.large.take(sizes);
        refusal.or(refused)
    }

    /// Nothing was answered.
    pub(super) fn drop_asked(&mut self) {
        self.asked.clear();
        self.large.drop_asked();
    }

    /// The server counts keys by their size.
    pub(super) fn search(&mut self, sizes: &[KeySizes]) {
        self.large.search(sizes);
    }

    /// Takes our own lookups out of what the server counts. Called before the answers of this poll are
    /// taken in: the server had not counted those yet.
    pub(super) fn without_own(&mut self, sample: &mut CacheSample) {
        let told = (sample.hits, sample.misses);
        if told.0 < self.last.0 || told.1 < self.last.1 {
            self.inside.count_anew();
        }
        self.last = told;
        let (hits, misses) = self.inside.own();
        sample.hits = sample.hits.saturating_sub(hits);
        sample.misses = sample.misses.saturating_sub(misses);
    }

    fn tell_inside(&self, told: &mut NamespaceSample, used: u64, mine: impl Fn(&[u8]) -> bool) {
        self.inside.tell(told, &mine);
        // A part is not more than the whole, however uneven the keys are.
        told.bytes = told.bytes.map(|it| if used > 0 { it.min(used as f64) } else { it });
        let sampled = told.largest.as_ref().map_or(0, |it| it.bytes);
        if let Some(larger) = self.large.largest(mine).filter(|it| it.bytes > sampled) {
            told.largest = Some(larger);
        }
    }

    /// Puts all that is known into the sample.
    pub(super) fn tell(&self, sample: &mut CacheSample) {
        let configured = self.shares.namespaces().iter().enumerate().map(|(at, it)| {
            let mut told = NamespaceSample {
                name: SafeText::new(&it.name),
                prefix: SafeText::new(&it.prefix),
                protected: it.protected,
                ..NamespaceSample::default()
            };
            estimated(&mut told, self.shares.of_namespace(at));
            self.tell_inside(&mut told, sample.used_memory, |key| key.starts_with(it.prefix.as_bytes()));
            told
        });
        sample.namespaces = configured.collect();
        let found = self.shares.found().into_iter().map(|(prefix, estimate)| {
            let text = SafeText::new(&String::from_utf8_lossy(&prefix));
            let mut told = NamespaceSample { name: text.clone(), prefix: text, ..NamespaceSample::default() };
            estimated(&mut told, Some(estimate));
            let mine = |key: &[u8]| if prefix.is_empty() { is_bare(key) } else { key.starts_with(&prefix) };
            self.tell_inside(&mut told, sample.used_memory, mine);
            told
        });
        sample.found = found.collect();
        sample.largest = self.large.told();
        sample.sized = self.large.sized();
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "estimates, never below zero")]
fn estimated(told: &mut NamespaceSample, estimate: Option<Estimate>) {
    let Some(it) = estimate else { return };
    told.share = Some(it.share);
    told.sampled = it.sampled;
    told.keys = Some(it.keys.round() as u64);
    told.keys_off = Some(it.off.ceil() as u64);
}
