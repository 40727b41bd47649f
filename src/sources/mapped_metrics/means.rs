//! Mean times out of sums and counts that only grow. Pure.

use std::collections::{HashMap, HashSet, VecDeque};

/// Polls over which a mean is taken.
const WINDOW: usize = 10;

/// A pool, or a server in it.
type Row = (String, Option<String>);

/// The sums and counts of the last polls.
#[derive(Debug, Default)]
pub(super) struct Means {
    rows: HashMap<Row, VecDeque<(f64, f64)>>,
    told: HashSet<Row>,
}

impl Means {
    /// The mean over the window that ends with this sum and count; `None` where nothing was counted in it.
    pub(super) fn mean(&mut self, pool: &str, server: Option<&str>, sum: f64, count: f64) -> Option<u64> {
        let key = (pool.to_owned(), server.map(ToOwned::to_owned));
        self.told.insert(key.clone());
        let row = self.rows.entry(key).or_default();
        if row.back().is_some_and(|(_, before)| count < *before) {
            // It began anew.
            row.clear();
        }
        row.push_back((sum, count));
        if row.len() > WINDOW + 1 {
            row.pop_front();
        }
        let (first_sum, first) = *row.front()?;
        whole((sum - first_sum) / (count - first))
    }

    /// Forgets what the last page did not tell.
    pub(super) fn turn(&mut self) {
        let told = std::mem::take(&mut self.told);
        if told.len() < self.rows.len() {
            self.rows.retain(|key, _| told.contains(key));
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked in the line above")]
fn whole(ms: f64) -> Option<u64> {
    (0.0..1e12).contains(&ms).then_some(ms.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_of_the_window_and_a_restart_begins_anew() {
        let mut means = Means::default();
        assert_eq!(means.mean("a", None, 1_000.0, 10.0), None, "one look tells no mean");
        assert_eq!(means.mean("a", None, 1_300.0, 20.0), Some(30));
        assert_eq!(means.mean("a", None, 5.0, 1.0), None, "it was restarted");
        means.turn();
        means.mean("b", None, 1.0, 1.0);
        means.turn();
        assert!(means.rows.len() == 1, "{means:?}");
    }
}
