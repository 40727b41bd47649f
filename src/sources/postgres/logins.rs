//! Sessions that begin: who they are, by looking; and how many, for servers that do not count logins themselves.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Backend, BackendKey, BackendState, Newcomers, SafeText};

/// How far back is told who came.
const WINDOW: Duration = Duration::from_secs(15);
/// Newcomers remembered.
const KEPT: usize = 5_000;
/// Sorts of newcomers told, those first of which most came.
const TOLD: usize = 5;

/// Who was there at the last poll, and who came since the first. Who comes and goes between two polls
/// is not seen.
#[derive(Default)]
pub(super) struct Logins {
    present: Option<HashSet<BackendKey>>,
    seen: u64,
    came: VecDeque<(Instant, Newcomer)>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Newcomer {
    family: String,
    user: SafeText,
    client: SafeText,
}

impl Logins {
    /// Takes in one poll.
    pub(super) fn look(&mut self, backends: &[Backend], now: Instant) {
        // Who still authenticates has no name yet: it comes when it is let in.
        let ours = backends.iter().filter(|one| one.is_client() && one.state != BackendState::Starting);
        if let Some(before) = self.present.as_ref() {
            for one in ours.clone().filter(|one| !before.contains(&one.key)) {
                self.seen += 1;
                let (user, client) = (one.user.clone(), one.client.clone());
                self.came.push_back((now, Newcomer { family: one.family().to_owned(), user, client }));
            }
        }
        self.present = Some(ours.map(|one| one.key).collect());
        self.came.retain(|(at, _)| now.duration_since(*at) <= WINDOW);
        while self.came.len() > KEPT {
            self.came.pop_front();
        }
    }

    /// How many came since the first poll.
    pub(super) const fn seen(&self) -> u64 {
        self.seen
    }

    /// Who came lately, those first of which most did.
    pub(super) fn tell(&self) -> Vec<Newcomers> {
        let mut sorts: BTreeMap<&Newcomer, u32> = BTreeMap::new();
        for (_, one) in &self.came {
            *sorts.entry(one).or_default() += 1;
        }
        let mut sorts: Vec<_> = sorts.into_iter().collect();
        sorts.sort_by_key(|(_, seen)| std::cmp::Reverse(*seen));
        let told = |(of, seen): (&Newcomer, u32)| Newcomers {
            application: SafeText::new(&of.family),
            user: of.user.clone(),
            client: of.client.clone(),
            seen,
        };
        sorts.into_iter().take(TOLD).map(told).collect()
    }
}
