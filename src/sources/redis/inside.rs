//! What the keys of a sample are like: type, size and time to live of a few of them.

use std::collections::{BTreeMap, VecDeque};

use redis::{Pipeline, Value};

use super::super::resp;
use super::large;
use super::share::SURE;
use crate::model::{KeyType, Lifetimes, NamespaceSample, SafeText};

/// Keys looked into by one poll: some hundred microseconds of the server's time.
const FEW: usize = 10;
/// Questions asked of each.
pub(super) const QUESTIONS: usize = 3;
/// Keys remembered.
const KEPT: usize = 1_000;
/// Keys a mean size needs for its error to be told.
const ENOUGH: usize = 5;

/// One key that was looked into.
#[derive(Clone)]
pub(super) struct Look {
    key: Vec<u8>,
    pub(super) kind: SafeText,
    /// Seconds it has to live; `None` for ever.
    pub(super) ttl: Option<f64>,
    pub(super) bytes: u64,
}

/// The keys looked into lately.
#[derive(Default)]
pub(super) struct Inside {
    wanted: VecDeque<Vec<u8>>,
    looks: VecDeque<Look>,
    /// Lookups of ours that the server counts among its hits and misses.
    own: (u64, u64),
}

impl Inside {
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// These are looked into next.
    pub(super) fn want(&mut self, keys: impl Iterator<Item = Vec<u8>>) {
        self.wanted = keys.collect();
    }

    /// The keys of this poll.
    pub(super) fn next(&mut self) -> Vec<Vec<u8>> {
        self.wanted.drain(..self.wanted.len().min(FEW)).collect()
    }

    /// The questions about a key. None of them counts as a use of it.
    pub(super) fn ask(pipeline: &mut Pipeline, key: &[u8]) {
        pipeline.cmd("TYPE").arg(key);
        pipeline.cmd("PTTL").arg(key);
        large::size(pipeline, key);
    }

    /// The answers about a key: what it is like, `None` when it is gone, or the first refusal. A key of the
    /// sample is remembered as one of it.
    pub(super) fn take(
        &mut self,
        key: &[u8],
        answers: &[Value],
        is_sampled: bool,
    ) -> Result<Option<Look>, (String, String)> {
        if let Some(refusal) = answers.iter().find_map(resp::refusal) {
            return Err(refusal);
        }
        let [kind, ttl, bytes] = answers else { return Ok(None) };
        let (kind, ttl) = (resp::text(kind).unwrap_or_default(), resp::whole(ttl).unwrap_or(-2));
        // Gone in between, by itself or otherwise.
        let gone = [kind == "none", ttl == -2].into_iter().filter(|gone| *gone).count() as u64;
        self.own.0 += 2 - gone;
        self.own.1 += gone;
        let Some(bytes) = resp::count(bytes).filter(|_| gone == 0) else { return Ok(None) };
        let ttl = (ttl >= 0).then_some(ttl as f64 / 1e3);
        let look = Look { key: key.to_vec(), kind: SafeText::new(&kind), ttl, bytes };
        if is_sampled {
            self.looks.push_back(look.clone());
            if self.looks.len() > KEPT {
                self.looks.pop_front();
            }
        }
        Ok(Some(look))
    }

    /// Hits and misses that are our own.
    pub(super) const fn own(&self) -> (u64, u64) {
        self.own
    }

    /// The server counts anew.
    pub(super) const fn count_anew(&mut self) {
        self.own = (0, 0);
    }

    /// Adds what the keys that `mine` picks are like.
    pub(super) fn tell(&self, sample: &mut NamespaceSample, mine: impl Fn(&[u8]) -> bool) {
        let looks: Vec<_> = self.looks.iter().filter(|it| mine(&it.key)).collect();
        sample.looked_into = looks.len() as u64;
        let Some(largest) = looks.iter().max_by_key(|it| it.bytes) else { return };
        sample.largest = Some(large::told(&largest.key, &largest.kind, largest.ttl, largest.bytes));
        let mut types: BTreeMap<&SafeText, u64> = BTreeMap::new();
        for it in &looks {
            *types.entry(&it.kind).or_default() += 1;
        }
        sample.types = types.into_iter().map(|(name, keys)| KeyType { name: name.clone(), keys }).collect();
        sample.types.sort_by_key(|it| std::cmp::Reverse(it.keys));
        let mut lives: Vec<_> = looks.iter().filter_map(|it| it.ttl).collect();
        lives.sort_unstable_by(f64::total_cmp);
        sample.lasting = Some(1.0 - lives.len() as f64 / looks.len() as f64);
        sample.ttl = lives.first().zip(lives.last()).map(|(least, most)| Lifetimes {
            least: *least,
            middle: lives[lives.len() / 2],
            most: *most,
        });
        let Some((keys, keys_off)) = sample.keys.zip(sample.keys_off) else { return };
        let (n, keys, keys_off) = (looks.len() as f64, keys as f64, keys_off as f64);
        let mean = looks.iter().map(|it| it.bytes as f64).sum::<f64>() / n;
        sample.bytes = Some(mean * keys);
        if looks.len() >= ENOUGH {
            let spread = looks.iter().map(|it| (it.bytes as f64 - mean).powi(2)).sum::<f64>() / (n - 1.0);
            let of_mean = keys * SURE * (spread / n).sqrt();
            sample.bytes_off = Some((mean * keys_off).hypot(of_mean));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(kind: &str, ttl: i64, bytes: Value) -> [Value; QUESTIONS] {
        [Value::SimpleString(kind.into()), Value::Int(ttl), bytes]
    }

    #[test]
    fn a_namespace_is_told_from_its_own_keys_of_the_sample() {
        let mut inside = Inside::default();
        for n in 0..8 {
            let key = format!("a:{n}").into_bytes();
            assert!(inside.take(&key, &answers("string", 60_000 * n, Value::Int(100)), true).is_ok());
        }
        let look = inside.take(b"a:big", &answers("hash", -1, Value::Int(5_000_000)), false);
        assert_eq!(look.ok().flatten().map(|it| it.bytes), Some(5_000_000));
        let mut sample =
            NamespaceSample { keys: Some(1_000), keys_off: Some(50), ..NamespaceSample::default() };
        inside.tell(&mut sample, |key| key.starts_with(b"a:"));
        assert_eq!((sample.looked_into, sample.lasting), (8, Some(0.0)), "one that was sought is no sample");
        assert_eq!(sample.ttl, Some(Lifetimes { least: 0.0, middle: 240.0, most: 420.0 }));
        assert_eq!((sample.bytes, sample.bytes_off), (Some(100_000.0), Some(5_000.0)));
        assert!(matches!(inside.take(b"b:1", &answers("none", -2, Value::Nil), true), Ok(None)));
        assert_eq!(inside.own(), (18, 2));
    }
}
