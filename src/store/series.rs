//! The recent course of everything that is charted, by what it is and whose it is.

use std::collections::BTreeMap;

use super::Ring;
use crate::model::{Resource, TargetId, Timestamp};

/// What a series measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// The value a resource is judged by, in the unit of its limits.
    Resource(Resource),
    /// Work done a second: requests, transactions, commands, jobs.
    Throughput,
    /// Jobs waiting.
    Depth,
    /// Requests in work at the servers behind a proxy.
    InFlight,
    /// Share of a cache's lookups that hit, over the window.
    HitRatio,
}

/// All series. Those of rows that are gone are dropped once their last point has aged out.
#[derive(Clone, Debug, Default)]
pub struct Series {
    rings: BTreeMap<(TargetId, Metric), Ring>,
}

impl Series {
    /// Adds a point.
    pub fn push(&mut self, target: &TargetId, metric: Metric, at: Timestamp, value: Option<f64>) {
        // Looked up first: a key is only built for a series that is new.
        match self.rings.get_mut(&(target.clone(), metric)) {
            Some(ring) => ring.push(at, value),
            None => {
                if self.rings.len() < 5_000 {
                    let mut ring = Ring::default();
                    ring.push(at, value);
                    self.rings.insert((target.clone(), metric), ring);
                }
            }
        }
    }

    /// The series, if anything was ever measured.
    #[must_use]
    pub fn get(&self, target: &TargetId, metric: Metric) -> Option<&Ring> {
        self.rings.get(&(target.clone(), metric))
    }

    /// Puts a gap into every series of a target and of its rows.
    pub fn gap(&mut self, target: &TargetId, at: Timestamp) {
        for ((id, _), ring) in &mut self.rings {
            if id.as_str() == target.as_str() || id.target() == *target {
                ring.push(at, None);
            }
        }
    }

    /// Forgets series whose last value is older than `oldest`.
    pub fn prune(&mut self, oldest: Timestamp) {
        self.rings.retain(|_, ring| ring.last().is_some_and(|(at, _)| at >= oldest));
    }
}
