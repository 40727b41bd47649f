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
/// Batches from which their own differences count.
const ENOUGH: usize = 5;
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
        // Once round is enough: a key that is counted twice would make the estimate look surer than it is.
        let mut seen: u64 = self.batches.iter().map(|batch| batch.keys).sum();
        while let Some(first) = self.batches.front().map(|batch| batch.keys)
            && self.batches.len() > 1
            && seen - first >= total
        {
            seen -= first;
            self.batches.pop_front();
        }
        let batches = &self.batches;
        self.followed.retain(|prefix| batches.iter().any(|batch| batch.groups.contains_key(prefix)));
    }

    /// How many keys a configured namespace has, in their order; `None` before the first batch.
    pub(super) fn of_namespace(&self, at: usize) -> Option<Estimate> {
        self.estimate(|batch| batch.matches.get(at).copied().unwrap_or(0))
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
        let of = |prefix: &[u8]| {
            self.estimate(|batch| match prefix {
                [] => batch.bare,
                prefix => batch.groups.get(prefix).copied().unwrap_or(0),
            })
        };
        told.push(Vec::new());
        let mut told: Vec<_> = told
            .into_iter()
            .filter_map(|prefix| of(&prefix).map(|estimate| (prefix, estimate)))
            .filter(|(_, it)| it.share >= TOLD)
            .collect();
        told.sort_by(|a, b| b.1.share.total_cmp(&a.1.share));
        told.truncate(MOST);
        told
    }

    /// A prefix, or its parts where they tell more.
    fn tell(&self, prefix: &[u8], count: u64, groups: &BTreeMap<&[u8], u64>, told: &mut Vec<Vec<u8>>) {
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
            told.push(prefix.to_vec());
        }
    }

    fn estimate(&self, of: impl Fn(&Batch) -> u64) -> Option<Estimate> {
        let each: Vec<_> = self.batches.iter().map(|batch| (of(batch) as f64, batch.keys as f64)).collect();
        let (matched, seen) = each.iter().fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        if seen == 0.0 {
            return None;
        }
        let total = self.batches.back().map_or(0, |batch| batch.total) as f64;
        let share = matched / seen;
        let left = if total > 1.0 { ((total - seen).max(0.0) / (total - 1.0)).sqrt() } else { 0.0 };
        // None seen among n: fewer than 3/n of them, 19 times of 20.
        let off = if matched == 0.0 { 3.0 / seen } else { SURE * deviation(&each, share, seen) };
        let sampled = self.batches.iter().map(|batch| batch.keys).sum();
        Some(Estimate { share, sampled, keys: share * total, off: off.min(1.0) * left * total })
    }
}

/// The standard deviation of a share: as of keys drawn one by one, or as the batches themselves differ, should
/// that be more. A batch is a stretch of the hash table; keys in it could have something in common.
fn deviation(each: &[(f64, f64)], share: f64, seen: f64) -> f64 {
    let alone = (share * (1.0 - share) / seen).sqrt();
    let batches = each.len() as f64;
    // A few batches tell nothing of how they differ.
    if each.len() < ENOUGH {
        return alone;
    }
    let spread: f64 = each.iter().map(|(matched, keys)| (matched - share * keys).powi(2)).sum();
    alone.max((spread * batches / (batches - 1.0)).sqrt() / seen)
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

    /// Numbers that look like chance and are the same every time.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % sides
        }
    }

    /// Of 200 keyspaces, in how many the truth lies within what is told. Keys of the namespace stand in the
    /// hash table in clumps of so many.
    fn holds(clump: u64, batches: usize) -> usize {
        const TOTAL: u64 = 8_000;
        let mut dice = Dice(7);
        let page = Namespace::parse("page", "page:", false).expect("legal");
        let holds = (0..200).filter(|_| {
            let table: Vec<bool> = (0..TOTAL / clump)
                .flat_map(|_| {
                    let mine = dice.roll(10) < 3;
                    std::iter::repeat_n(mine, usize::try_from(clump).unwrap_or(1))
                })
                .collect();
            let truth = table.iter().filter(|mine| **mine).count() as f64;
            let mut shares = Shares::new(vec![page.clone()]);
            for batch in table.chunks(100).take(batches) {
                shares.add(TOTAL, batch.iter().map(|mine| if *mine { &b"page:1"[..] } else { &b"x"[..] }));
            }
            let it = shares.of_namespace(0).expect("sampled");
            (it.keys - truth).abs() <= it.off
        });
        holds.count()
    }

    #[test]
    fn an_estimate_holds_as_often_as_it_says_even_where_keys_stand_in_clumps() {
        for (clump, batches) in [(1, 4), (1, 20), (5, 20), (20, 24)] {
            let holds = holds(clump, batches);
            assert!(holds >= 186, "{holds} of 200 with clumps of {clump} in {batches} batches");
        }
    }

    #[test]
    fn a_keyspace_seen_twice_is_known_and_no_key_counts_twice() {
        let page = Namespace::parse("page", "cache:page:", false).expect("legal");
        let mut shares = Shares::new(vec![page]);
        let keys = keys();
        for batch in keys.chunks(125).cycle().take(11) {
            shares.add(500, batch.iter().map(String::as_bytes));
        }
        let it = shares.of_namespace(0).expect("sampled");
        assert_eq!((it.sampled, it.keys, it.off), (500, 300.0, 0.0));
    }
}
