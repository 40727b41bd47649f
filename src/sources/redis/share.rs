//! How much of a keyspace each namespace takes, and which prefixes there are, from a bounded sample of keys.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::model::Namespace;

/// Batches remembered: the estimate follows changes within two minutes and rests on some thousand keys.
const BATCHES: usize = 24;
/// A batch from when the database had so many times more or fewer keys tells nothing any more.
const CHANGED: f64 = 0.2;
/// What ends a part of a key's name.
const SEPARATORS: &[u8] = b":/|";
/// Parts of a name that are looked at, and bytes of them.
const DEPTH: usize = 4;
const LONGEST: usize = 100;
/// Prefixes that are followed.
const FOLLOWED: usize = 2_000;
/// Share of the keys from which a prefix is told of, and how many are told of.
const TOLD: f64 = 0.01;
const MOST: usize = 12;
/// A prefix is told by its parts where so few of them, each this share of it, make up so much of it.
const PARTS: usize = 16;
const PART: f64 = 0.02;
const WHOLE: f64 = 0.9;
/// Standard deviations within which an estimate lies 19 times of 20.
pub(super) const SURE: f64 = 1.96;

/// Counts of the last batches of keys. A scan visits the hash table in an order that has nothing
/// to do with key names, so any stretch of it is a fair sample.
pub(super) struct Shares {
    namespaces: Vec<Namespace>,
    batches: VecDeque<Batch>,
    followed: BTreeSet<Vec<u8>>,
}

struct Batch {
    keys: u64,
    /// Keys in the database then.
    total: u64,
    matches: Vec<u64>,
    /// By prefix; those met once only are left out, for most of them are a key's own.
    groups: BTreeMap<Vec<u8>, u64>,
    /// Keys without any separator.
    bare: u64,
}

/// How many keys begin with something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    /// Share of all keys, 0 to 1.
    pub share: f64,
    /// Keys it rests on.
    pub sampled: u64,
    /// Keys.
    pub keys: f64,
    /// How far off that may be, 19 times of 20.
    pub off: f64,
}

impl Shares {
    pub(super) const fn new(namespaces: Vec<Namespace>) -> Self {
        Self { namespaces, batches: VecDeque::new(), followed: BTreeSet::new() }
    }

    pub(super) fn namespaces(&self) -> &[Namespace] {
        &self.namespaces
    }

    pub(super) fn forget(&mut self) {
        self.batches.clear();
        self.followed.clear();
    }

    /// Takes in a batch, from a database that has so many keys now.
    pub(super) fn add<'a>(&mut self, total: u64, keys: impl Iterator<Item = &'a [u8]>) {
        let matches = vec![0; self.namespaces.len()];
        let mut batch = Batch { keys: 0, total, matches, groups: BTreeMap::new(), bare: 0 };
        let mut met: BTreeMap<&[u8], u64> = BTreeMap::new();
        for key in keys {
            batch.keys += 1;
            for (namespace, matched) in self.namespaces.iter().zip(&mut batch.matches) {
                *matched += u64::from(key.starts_with(namespace.prefix.as_bytes()));
            }
            batch.bare += u64::from(is_bare(key));
            for prefix in prefixes(key) {
                *met.entry(prefix).or_default() += 1;
            }
        }
        for (prefix, count) in met {
            let known = self.followed.contains(prefix);
            if !known && (count < 2 || self.followed.len() >= FOLLOWED) {
                continue;
            }
            if !known {
                self.followed.insert(prefix.to_vec());
            }
            batch.groups.insert(prefix.to_vec(), count);
        }
        let alike = |then: u64| (then as f64 - total as f64).abs() <= CHANGED * total.max(100) as f64;
        self.batches.retain(|batch| alike(batch.total));
        if self.batches.len() == BATCHES {
            self.batches.pop_front();
        }
        self.batches.push_back(batch);
        let batches = &self.batches;
        self.followed.retain(|prefix| batches.iter().any(|batch| batch.groups.contains_key(prefix)));
    }

    /// How many keys a configured namespace has, in their order; `None` before the first batch.
    pub(super) fn of_namespace(&self, at: usize) -> Option<Estimate> {
        self.estimate(self.batches.iter().filter_map(|batch| batch.matches.get(at)).sum())
    }

    /// Prefixes that no configured namespace covers, greatest first; an empty one stands for the keys
    /// without any.
    pub(super) fn found(&self) -> Vec<(Vec<u8>, Estimate)> {
        let mut groups: BTreeMap<&[u8], u64> = BTreeMap::new();
        for (prefix, count) in self.batches.iter().flat_map(|batch| &batch.groups) {
            *groups.entry(prefix).or_default() += count;
        }
        let mut told = Vec::new();
        for (prefix, count) in groups.iter().filter(|(prefix, _)| parts(prefix) == 1) {
            self.tell(prefix, *count, &groups, &mut told);
        }
        let bare = self.batches.iter().map(|batch| batch.bare).sum();
        told.push((Vec::new(), bare));
        let mut told: Vec<_> = told
            .into_iter()
            .filter_map(|(prefix, count)| Some((prefix, self.estimate(count)?)))
            .filter(|(_, it)| it.share >= TOLD)
            .collect();
        told.sort_by(|a, b| b.1.share.total_cmp(&a.1.share));
        told.truncate(MOST);
        told
    }

    /// A prefix, or its parts where they tell more.
    fn tell(&self, prefix: &[u8], count: u64, groups: &BTreeMap<&[u8], u64>, told: &mut Vec<(Vec<u8>, u64)>) {
        if self.namespaces.iter().any(|it| prefix.starts_with(it.prefix.as_bytes())) {
            return;
        }
        let depth = parts(prefix) + 1;
        let within = groups.range(prefix..).take_while(|(it, _)| it.starts_with(prefix));
        let children: Vec<_> = within.filter(|(it, _)| parts(it) == depth).collect();
        let great = |count: u64, of: u64| count >= 2 && count as f64 >= PART * of as f64;
        let great: Vec<_> = children.iter().filter(|(_, part)| great(**part, count)).collect();
        let sum: u64 = great.iter().map(|(_, part)| **part).sum();
        let has_named = self.namespaces.iter().any(|it| it.prefix.as_bytes().starts_with(prefix));
        if has_named || (!great.is_empty() && great.len() <= PARTS && sum as f64 >= WHOLE * count as f64) {
            for (child, part) in great {
                self.tell(child, **part, groups, told);
            }
        } else {
            told.push((prefix.to_vec(), count));
        }
    }

    fn estimate(&self, matched: u64) -> Option<Estimate> {
        let sampled: u64 = self.batches.iter().map(|batch| batch.keys).sum();
        if sampled == 0 {
            return None;
        }
        let total = self.batches.back().map_or(0, |batch| batch.total) as f64;
        let (seen, share) = (sampled as f64, matched as f64 / sampled as f64);
        let left = if total > 1.0 { ((total - seen).max(0.0) / (total - 1.0)).sqrt() } else { 0.0 };
        // None seen among n: fewer than 3/n of them, 19 times of 20.
        let off = if matched == 0 { 3.0 / seen } else { SURE * (share * (1.0 - share) / seen).sqrt() };
        Some(Estimate { share, sampled, keys: share * total, off: off.min(1.0) * left * total })
    }
}

/// A name without any part.
pub(super) fn is_bare(key: &[u8]) -> bool {
    !key.iter().any(|byte| SEPARATORS.contains(byte))
}

/// The beginnings of a name that end at a separator, shortest first.
fn prefixes(key: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = key.iter().enumerate().take(LONGEST).filter(|(_, byte)| SEPARATORS.contains(byte));
    ends.take(DEPTH).map(|(at, _)| &key[..=at])
}

fn parts(prefix: &[u8]) -> usize {
    prefix.iter().filter(|byte| SEPARATORS.contains(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(shares: &Shares) -> Vec<(String, f64)> {
        let told = shares.found().into_iter();
        told.map(|(prefix, it)| (String::from_utf8_lossy(&prefix).into_owned(), it.keys.round())).collect()
    }

    fn keys() -> Vec<String> {
        let mut keys: Vec<_> = (0..300).map(|n| format!("cache:page:{n}")).collect();
        keys.extend((0..100).map(|n| format!("cache:user:{n}")));
        keys.extend((0..60).map(|n| format!("sess:{n}:data")));
        keys.extend((0..40).map(|n| format!("plain{n}")));
        keys
    }

    #[test]
    fn prefixes_are_told_as_deep_as_they_are_shared_and_ids_are_none() {
        let keys = keys();
        let mut shares = Shares::new(Vec::new());
        shares.add(500, keys.iter().map(String::as_bytes));
        let all = [("cache:page:", 300.0), ("cache:user:", 100.0), ("sess:", 60.0), ("", 40.0)];
        assert_eq!(found(&shares), all.map(|(name, keys)| (name.to_owned(), keys)));
        assert!(shares.found().iter().all(|(_, it)| it.off == 0.0), "every key was looked at");

        let page = Namespace::parse("page", "cache:page:", false).expect("legal");
        let mut shares = Shares::new(vec![page]);
        shares.add(50_000, keys.iter().map(String::as_bytes));
        assert_eq!(found(&shares)[0], ("cache:user:".to_owned(), 10_000.0));
        let page = shares.of_namespace(0).expect("sampled");
        assert!((page.share - 0.6).abs() < 1e-9 && (2_000.0..2_300.0).contains(&page.off), "{page:?}");
    }

    #[test]
    fn what_was_sampled_before_the_keyspace_changed_is_forgotten() {
        let mut shares = Shares::new(Vec::new());
        shares.add(500, keys().iter().map(String::as_bytes));
        shares.add(200, (0..200).map(|_| &b"cache:user:1"[..]));
        assert_eq!(found(&shares), [("cache:user:".to_owned(), 200.0)]);
    }
}
