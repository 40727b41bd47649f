//! The trees as the screen and the actions want them: roots, rows, and what each end would free.

use super::draw::{RootSet, draw};
use super::graph::{Group, groups};
use crate::model::{Backend, Freed, PreparedTransaction};

/// Who stands in a tree: an index into the lists the forest was built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// `backends[i]`; for a parallel query its leader.
    Backend(usize),
    /// `prepared[i]`.
    Prepared(usize),
    /// A prepared transaction that could not be named.
    UnnamedPrepared,
}

/// Why a tree's root is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootKind {
    /// It holds what others want and waits for nobody.
    Holder,
    /// Its sessions wait for each other in a circle; the server ends one after `deadlock_timeout`.
    Cycle,
    /// It waits, and the server does not tell for whom (it changed meanwhile, or a standby replays).
    Unresolved,
}

/// One line of the drawn trees, parents before children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Who.
    pub node: Node,
    /// The root it is drawn under, an index into [`Forest::roots`].
    pub root: usize,
    /// Steps below that root.
    pub depth: usize,
    /// The last of its siblings (for the tree's lines).
    pub last: bool,
    /// Sessions that wait for it alone: they go on at once when it is gone.
    pub frees_now: u32,
    /// Sessions that go on in the end when it is gone, one after the other.
    pub frees: u32,
    /// Roots it waits behind; more than one means that ending one of them does not free it.
    pub roots: u32,
}

/// A root and the sum of what waits behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Root {
    /// Why it is a root.
    pub kind: RootKind,
    /// Who; more than one only for a cycle.
    pub nodes: Vec<Node>,
    /// Sessions that go on at once when it is gone.
    pub frees_now: u32,
    /// Sessions that go on in the end when it is gone.
    pub frees: u32,
    /// Sessions that wait behind it, those that wait behind another root as well included
    /// (of a cycle and of an unresolved root, its own sessions too).
    pub waiters: u32,
    /// The longest wait behind it, seconds.
    pub oldest_wait: Option<f64>,
    /// Its rows in [`Forest::rows`].
    pub rows: std::ops::Range<usize>,
}

/// The smallest end of sessions that helps most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Roots to end together, indices into [`Forest::roots`].
    pub roots: Vec<usize>,
    /// Sessions that then go on, in the end.
    pub frees: u32,
}

/// Everybody who waits for a lock, each drawn once, under who must go first.
///
/// A waiter is drawn under the nearest session that every way to its freedom leads through. So a
/// queue on one row is flat under its holder, and readers behind a waiting `ALTER TABLE` stand
/// under that. Where two roots hold one waiter, no such session exists; it is drawn under the
/// nearest of its blockers, and [`Row::roots`] tells.
#[derive(Default)]
pub struct Forest {
    /// The roots, the most helpful to end first.
    pub roots: Vec<Root>,
    /// The rows of all trees, depth first.
    pub rows: Vec<Row>,
    /// Sessions that wait, each counted once.
    pub waiters: u32,
    groups: Vec<Group>,
    /// For each group the roots above it.
    above: Vec<RootSet>,
}

impl Forest {
    /// Builds the trees of one sample.
    #[must_use]
    pub fn build(backends: &[Backend], prepared: &[PreparedTransaction]) -> Self {
        let groups = groups(backends, prepared);
        let waiters = groups.iter().filter(|group| group.waits).map(Group::size).sum();
        let (roots, rows, above) = draw(&groups, backends);
        Self { roots, rows, waiters, groups, above }
    }

    /// Who goes on, at once and in the end, were these sessions gone.
    #[must_use]
    pub fn freed_by(&self, nodes: &[Node]) -> Freed {
        // Of a circle all must go: who of the rest would go on cannot be told.
        let gone = |group: &Group| group.nodes.iter().all(|node| nodes.contains(node));
        let ended: Vec<bool> = self.groups.iter().map(gone).collect();
        let (mut free, mut behind) = (ended.clone(), ended.clone());
        let mut freed = Freed::default();
        for (at, group) in self.groups.iter().enumerate() {
            if ended[at] || group.blockers.is_empty() {
                continue;
            }
            behind[at] = group.blockers.iter().any(|blocker| behind[*blocker]);
            free[at] = group.blockers.iter().all(|blocker| free[*blocker]);
            if free[at] {
                freed.in_all += group.size();
                if group.blockers.iter().all(|blocker| ended[*blocker]) {
                    freed.now += group.size();
                }
            } else if behind[at] {
                freed.still_blocked += group.size();
            }
        }
        freed
    }

    /// Everybody who waits behind one of these, themselves left out.
    #[must_use]
    pub fn behind(&self, nodes: &[Node]) -> Vec<Node> {
        let mut behind: Vec<bool> = Vec::with_capacity(self.groups.len());
        let mut found = Vec::new();
        for group in &self.groups {
            let meant = group.nodes.iter().any(|node| nodes.contains(node));
            let waits = meant || group.blockers.iter().any(|blocker| behind[*blocker]);
            behind.push(waits);
            if waits {
                found.extend(group.nodes.iter().filter(|node| !nodes.contains(node)));
            }
        }
        found
    }

    /// Which roots to end: the set that frees most for each session ended. `None` where ending
    /// sessions frees nobody: nothing waits, or only circles and unresolved waits are left.
    #[must_use]
    pub fn offer(&self) -> Option<Offer> {
        let mut holders = RootSet::of(self.roots.len());
        for (at, root) in self.roots.iter().enumerate() {
            if root.kind == RootKind::Holder {
                holders.insert(at);
            }
        }
        let waiting = || self.groups.iter().zip(&self.above).filter(|(group, _)| !group.blockers.is_empty());
        let mut candidates: Vec<&RootSet> =
            waiting().map(|(_, above)| above).filter(|set| set.is_within(&holders)).collect();
        candidates.sort_unstable();
        candidates.dedup();
        // Distinct sets are few; a contrived many is not looked at without end.
        candidates.truncate(256);
        let offer = |set: &RootSet| Offer {
            roots: set.members().collect(),
            frees: waiting().filter(|(_, above)| above.is_within(set)).map(|(group, _)| group.size()).sum(),
        };
        // Freed for each session ended, compared crosswise; then freed at all.
        let worth = |offer: &Offer, other: &Offer| u64::from(offer.frees) * other.roots.len() as u64;
        candidates.into_iter().map(offer).max_by(|a, b| {
            worth(a, b).cmp(&worth(b, a)).then(a.frees.cmp(&b.frees)).then_with(|| b.roots.cmp(&a.roots))
        })
    }
}
