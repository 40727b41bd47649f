//! How much of a keyspace each namespace takes, estimated from a bounded sample.

use std::collections::VecDeque;

use crate::model::{Namespace, NamespaceSample, SafeText};

/// Batches remembered: the estimate follows changes and still rests on some thousand keys.
const BATCHES: usize = 8;

/// Counts of the last batches of keys. A scan visits the hash table in an order that has nothing
/// to do with key names, so any stretch of it is a fair sample.
pub(super) struct Shares {
    namespaces: Vec<Namespace>,
    batches: VecDeque<Batch>,
}

struct Batch {
    keys: u64,
    matches: Vec<u64>,
}

impl Shares {
    pub(super) const fn new(namespaces: Vec<Namespace>) -> Self {
        Self { namespaces, batches: VecDeque::new() }
    }

    pub(super) const fn is_wanted(&self) -> bool {
        !self.namespaces.is_empty()
    }

    pub(super) fn forget(&mut self) {
        self.batches.clear();
    }

    pub(super) fn add<'a>(&mut self, keys: impl Iterator<Item = &'a [u8]>) {
        let mut batch = Batch { keys: 0, matches: vec![0; self.namespaces.len()] };
        for key in keys {
            batch.keys += 1;
            for (namespace, matched) in self.namespaces.iter().zip(&mut batch.matches) {
                *matched += u64::from(key.starts_with(namespace.prefix.as_bytes()));
            }
        }
        if self.batches.len() == BATCHES {
            self.batches.pop_front();
        }
        self.batches.push_back(batch);
    }

    pub(super) fn samples(&self) -> Vec<NamespaceSample> {
        let sampled: u64 = self.batches.iter().map(|batch| batch.keys).sum();
        let matched = |at: usize| self.batches.iter().filter_map(|batch| batch.matches.get(at)).sum::<u64>();
        self.namespaces
            .iter()
            .enumerate()
            .map(|(at, namespace)| NamespaceSample {
                name: SafeText::new(&namespace.name),
                prefix: SafeText::new(&namespace.prefix),
                protected: namespace.protected,
                share: (sampled > 0).then(|| matched(at) as f64 / sampled as f64),
                sampled,
            })
            .collect()
    }
}
