//! The keys that take most memory, looked for without walking the keyspace: every name of a sampled batch is
//! sized, and where the server itself counts keys by size, those of a type with a large one are looked for.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::time::Instant;

use super::super::resp;
use crate::model::{KeySizes, LargeKey, SafeText};

/// Names sized by one poll: less than a hundred microseconds of the server's time.
const SIZED: usize = 100;
/// Names that wait for it.
const WAITING: usize = 1_000;
/// Elements of a value that its size is estimated from.
pub(super) const ELEMENTS: u32 = 5;
/// Keys told of.
const TOLD: usize = 10;
/// A key under this many bytes is not looked into for its size alone.
const SMALL: u64 = 16 << 10;
/// Keys looked into by one poll because they are large: new ones, and one of the known.
const NEW: usize = 3;
/// Names that one step of the search walks over, and all of that type among them are sized: half a
/// millisecond. Strings are nearly all of them, where there are any.
const STRINGS: u32 = 400;
const OTHERS: u32 = 1_000;
/// A search that found too little is not begun again sooner.
const AGAIN: Duration = Duration::from_secs(600);
/// Characters shown of a key.
const SHOWN: usize = 80;

/// What is known of large keys.
#[derive(Default)]
pub(super) struct Large {
    /// Largest first.
    met: Vec<Met>,
    names: VecDeque<Vec<u8>>,
    /// Names that the search found: all of them are sized by the next poll.
    sought: Vec<Vec<u8>>,
    asked: Vec<Vec<u8>>,
    wanted: VecDeque<Vec<u8>>,
    turn: usize,
    sized: u64,
    search: Option<Search>,
    /// By type: when it was searched last, and how many large ones the server counted then.
    tried: BTreeMap<SafeText, (Instant, u64)>,
}

struct Met {
    key: Vec<u8>,
    kind: SafeText,
    ttl: Option<f64>,
    bytes: u64,
}

/// A walk over the keys of one type.
struct Search {
    kind: SafeText,
    cursor: Vec<u8>,
}

impl Large {
    /// Names whose size is asked next.
    pub(super) fn line_up<'a>(&mut self, keys: impl Iterator<Item = &'a [u8]>) {
        let room = WAITING.saturating_sub(self.names.len());
        self.names.extend(keys.take(room).map(<[u8]>::to_vec));
    }

    /// Keys to be looked into for their size; one of the known ones among them, for it may be gone.
    pub(super) fn next(&mut self) -> Vec<Vec<u8>> {
        let mut keys: Vec<_> = self.wanted.drain(..self.wanted.len().min(NEW)).collect();
        self.turn = self.turn.wrapping_add(1);
        let known = self.met.get(self.turn % self.met.len().max(1)).map(|it| it.key.clone());
        keys.extend(known.filter(|known| !keys.contains(known)));
        keys
    }

    /// Asks for sizes, and for names of the type that is searched.
    pub(super) fn ask(&mut self, pipeline: &mut Pipeline) {
        self.asked = std::mem::take(&mut self.sought);
        self.asked.extend(self.names.drain(..self.names.len().min(SIZED)));
        for key in &self.asked {
            size(pipeline, key);
        }
        if let Some(search) = &self.search {
            let kind = search.kind.as_str();
            let step = if kind == "string" { STRINGS } else { OTHERS };
            pipeline.cmd("SCAN").arg(&search.cursor).arg("COUNT").arg(step).arg("TYPE").arg(kind);
        }
    }

    /// Takes the answers in; the first refusal, if there is one.
    pub(super) fn take(&mut self, answers: &[Value]) -> Option<(String, String)> {
        let asked = std::mem::take(&mut self.asked);
        let mut refusal = None;
        for (key, answer) in asked.iter().zip(answers) {
            refusal = refusal.or_else(|| resp::refusal(answer));
            let Some(bytes) = resp::count(answer) else { continue };
            self.sized += 1;
            if self.is_large(bytes) && !self.wanted.contains(key) {
                self.wanted.push_back(key.clone());
            }
        }
        if let Some(answer) = answers.get(asked.len()) {
            self.take_step(answer);
        }
        self.wanted.truncate(WAITING);
        refusal
    }

    fn is_large(&self, bytes: u64) -> bool {
        bytes >= SMALL && self.met.get(TOLD - 1).is_none_or(|least| bytes > least.bytes)
    }

    fn take_step(&mut self, answer: &Value) {
        let Some(search) = &mut self.search else { return };
        let [cursor, keys] = resp::list(answer) else {
            // It cannot search by type: what the sample meets must do.
            self.search = None;
            return;
        };
        search.cursor = resp::bytes(cursor).unwrap_or(b"0").to_vec();
        let is_over = search.cursor == b"0";
        self.sought = resp::list(keys).iter().filter_map(resp::bytes).map(<[u8]>::to_vec).collect();
        if is_over {
            self.search = None;
        }
    }

    /// Nothing was answered.
    pub(super) fn drop_asked(&mut self) {
        self.asked.clear();
    }

    /// What a key turned out to be like; it is kept while it is among the largest.
    pub(super) fn note(&mut self, key: &[u8], kind: &SafeText, ttl: Option<f64>, bytes: u64) {
        self.forget(key);
        self.met.push(Met { key: key.to_vec(), kind: kind.clone(), ttl, bytes });
        self.met.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.key.cmp(&b.key)));
        self.met.truncate(TOLD);
    }

    /// It is gone, or is looked into anew.
    pub(super) fn forget(&mut self, key: &[u8]) {
        self.met.retain(|it| it.key != key);
    }

    /// Looks for what the server counts and nobody has met yet, until it is met.
    pub(super) fn search(&mut self, sizes: &[KeySizes]) {
        let lacks = |it: &KeySizes| {
            let known = self.met.iter().filter(|met| met.kind == it.kind && met.bytes >= it.limit).count();
            (known as u64) < it.large.min(TOLD as u64)
        };
        let lacking: Vec<&KeySizes> = sizes.iter().filter(|it| lacks(it)).collect();
        if let Some(search) = &self.search {
            if lacking.iter().all(|it| it.kind != search.kind) {
                self.search = None;
            }
            return;
        }
        let is_new = |it: &&&KeySizes| {
            self.tried.get(&it.kind).is_none_or(|(at, large)| at.elapsed() >= AGAIN || it.large > *large)
        };
        if let Some(it) = lacking.iter().find(is_new) {
            self.tried.insert(it.kind.clone(), (Instant::now(), it.large));
            self.search = Some(Search { kind: it.kind.clone(), cursor: b"0".to_vec() });
        }
    }

    /// The largest keys met.
    pub(super) fn told(&self) -> Vec<LargeKey> {
        self.met.iter().map(Met::told).collect()
    }

    /// The largest of those that `mine` picks.
    pub(super) fn largest(&self, mine: impl Fn(&[u8]) -> bool) -> Option<LargeKey> {
        self.met.iter().find(|it| mine(&it.key)).map(Met::told)
    }

    /// Keys whose size was asked so far.
    pub(super) const fn sized(&self) -> u64 {
        self.sized
    }
}

/// Asks how much memory a key takes: counts as no use of it.
pub(super) fn size(pipeline: &mut Pipeline, key: &[u8]) {
    pipeline.cmd("MEMORY").arg("USAGE").arg(key).arg("SAMPLES").arg(ELEMENTS);
}

/// A key as it is told.
pub(super) fn told(key: &[u8], kind: &SafeText, ttl: Option<f64>, bytes: u64) -> LargeKey {
    let name = String::from_utf8_lossy(key);
    let mut shown: String = name.chars().take(SHOWN).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    LargeKey { key: SafeText::new(&shown), kind: kind.clone(), bytes, ttl }
}

impl Met {
    fn told(&self) -> LargeKey {
        told(&self.key, &self.kind, self.ttl, self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind() -> SafeText {
        SafeText::new("string")
    }

    #[test]
    fn only_what_is_large_is_looked_into_and_what_is_known_in_its_turn() {
        let mut large = Large::default();
        let keys: Vec<_> = (0..150).map(|n| format!("k{n}").into_bytes()).collect();
        large.line_up(keys.iter().map(Vec::as_slice));
        let mut pipeline = redis::pipe();
        large.ask(&mut pipeline);
        assert_eq!(pipeline.len(), SIZED);
        let answers: Vec<_> = (0..100).map(|n| Value::Int(if n == 42 { 1 << 20 } else { 80 })).collect();
        assert_eq!(large.take(&answers), None);
        assert_eq!((large.next(), large.sized()), (vec![b"k42".to_vec()], 100));
        large.note(b"k42", &kind(), None, 1 << 20);
        assert_eq!(large.next(), [b"k42".to_vec()]);
        large.forget(b"k42");
        assert_eq!(large.next(), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_type_is_searched_while_the_server_counts_more_than_was_met() {
        let sizes = [KeySizes { kind: kind(), large: 1, limit: 1 << 20, ..KeySizes::default() }];
        let mut large = Large::default();
        large.search(&sizes);
        let mut pipeline = redis::pipe();
        large.ask(&mut pipeline);
        assert_eq!(pipeline.len(), 1);
        let text = |text: &str| Value::BulkString(text.into());
        large.take(&[Value::Array(vec![text("0"), Value::Array(vec![text("a"), text("b")])])]);
        assert_eq!(large.sought.len(), 2);
        large.search(&sizes);
        assert!(large.search.is_none(), "not again at once");
        large.note(b"a", &kind(), None, 2 << 20);
        large.tried.clear();
        large.search(&sizes);
        assert!(large.search.is_none(), "it was found");
    }
}
