//! Where each session is drawn, and what stands above it.

use std::cmp::Reverse;

use super::graph::Group;
use super::{Node, Root, RootKind, Row};
use crate::model::Backend;

/// Roots by their index, a bit each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RootSet(Vec<u64>);

impl RootSet {
    pub(super) fn of(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    pub(super) fn insert(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own |= other);
    }

    fn contains(&self, at: usize) -> bool {
        self.0[at / 64] & (1 << (at % 64)) != 0
    }

    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(own, other)| own & !other == 0)
    }

    pub(super) fn members(&self) -> impl Iterator<Item = usize> {
        (0..self.0.len() * 64).filter(|at| self.contains(*at))
    }

    fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

/// Lays the trees out: the roots in order, the rows depth first, and for each group its roots.
pub(super) fn draw(groups: &[Group], backends: &[Backend]) -> (Vec<Root>, Vec<Row>, Vec<RootSet>) {
    let (now, in_all) = frees(groups);
    let wait = |group: &Group| {
        group
            .nodes
            .iter()
            .filter_map(|node| wait_age(*node, backends))
            .fold(None, |most: Option<f64>, age| Some(most.map_or(age, |most| most.max(age))))
    };
    let mut first: Vec<usize> = (0..groups.len()).filter(|at| groups[*at].blockers.is_empty()).collect();
    first.sort_by_key(|at| (Reverse(in_all[*at]), *at));
    let above = roots_above(groups, &first);
    let mut roots: Vec<Root> = first
        .iter()
        .enumerate()
        .map(|(index, at)| {
            let root = &groups[*at];
            let behind = || {
                groups
                    .iter()
                    .zip(&above)
                    .filter(move |(_, above)| above.contains(index))
                    .map(|(group, _)| group)
            };
            let kind = kind(root);
            Root {
                kind,
                nodes: root.nodes.clone(),
                frees_now: if kind == RootKind::Cycle { 0 } else { now[*at] },
                frees: if kind == RootKind::Cycle { 0 } else { in_all[*at] },
                waiters: behind().filter(|group| group.waits).map(Group::size).sum(),
                oldest_wait: behind().filter_map(wait).reduce(f64::max),
                rows: 0..0,
            }
        })
        .collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); groups.len()];
    for (at, parent) in parents(groups).into_iter().enumerate() {
        if let Some(parent) = parent {
            children[parent].push(at);
        }
    }
    for list in &mut children {
        let age = |at: usize| wait(&groups[at]).unwrap_or(0.0);
        list.sort_by(|a, b| in_all[*b].cmp(&in_all[*a]).then(age(*b).total_cmp(&age(*a))).then(a.cmp(b)));
    }
    let mut rows = Vec::new();
    for (index, at) in first.into_iter().enumerate() {
        let from = rows.len();
        // The next to draw stands at the end.
        let mut open = vec![(at, 0, true)];
        while let Some((at, depth, last)) = open.pop() {
            let group = &groups[at];
            let alone = group.nodes.len() == 1;
            for (member, node) in group.nodes.iter().enumerate() {
                rows.push(Row {
                    node: *node,
                    root: index,
                    depth: depth + usize::from(member > 0),
                    last: if member == 0 {
                        last
                    } else {
                        member + 1 == group.nodes.len() && children[at].is_empty()
                    },
                    frees_now: if alone { now[at] } else { 0 },
                    frees: if alone { in_all[at] } else { 0 },
                    roots: above[at].len(),
                });
            }
            let count = children[at].len();
            open.extend(
                children[at].iter().enumerate().rev().map(|(n, child)| (*child, depth + 1, n + 1 == count)),
            );
        }
        roots[index].rows = from..rows.len();
    }
    (roots, rows, above)
}

fn kind(root: &Group) -> RootKind {
    match (root.nodes.len(), root.waits) {
        (1, false) => RootKind::Holder,
        (1, true) => RootKind::Unresolved,
        _ => RootKind::Cycle,
    }
}

fn wait_age(node: Node, backends: &[Backend]) -> Option<f64> {
    match node {
        Node::Backend(at) => backends.get(at)?.wait_age,
        Node::Prepared(_) | Node::UnnamedPrepared => None,
    }
}

/// For each group: who waits for it alone, and all that it rules over.
fn frees(groups: &[Group]) -> (Vec<u32>, Vec<u32>) {
    let (mut now, mut in_all) = (vec![0; groups.len()], vec![0; groups.len()]);
    for (at, group) in groups.iter().enumerate().rev() {
        if let [only] = group.blockers[..] {
            now[only] += group.size();
        }
        if let Some(ruler) = group.ruler {
            in_all[ruler] += group.size() + in_all[at];
        }
    }
    (now, in_all)
}

/// Under whom each group is drawn: its ruler, or else the nearest of its blockers.
fn parents(groups: &[Group]) -> Vec<Option<usize>> {
    let mut depth: Vec<usize> = Vec::with_capacity(groups.len());
    let mut parents = Vec::with_capacity(groups.len());
    for group in groups {
        let nearest =
            || group.blockers.iter().copied().max_by_key(|blocker| (depth[*blocker], Reverse(*blocker)));
        let parent = group.ruler.or_else(nearest);
        depth.push(parent.map_or(0, |parent: usize| depth[parent] + 1));
        parents.push(parent);
    }
    parents
}

/// For each group the roots above it; a root that waits itself (a circle, an unresolved wait) is above itself.
fn roots_above(groups: &[Group], first: &[usize]) -> Vec<RootSet> {
    let mut index = vec![None; groups.len()];
    for (root, at) in first.iter().enumerate() {
        index[*at] = Some(root);
    }
    let mut above: Vec<RootSet> = Vec::with_capacity(groups.len());
    for (at, group) in groups.iter().enumerate() {
        let mut set = RootSet::of(first.len());
        if let (Some(root), true) = (index[at], group.waits) {
            set.insert(root);
        }
        for blocker in &group.blockers {
            match index[*blocker] {
                Some(root) => set.insert(root),
                None => set.add(&above[*blocker]),
            }
        }
        above.push(set);
    }
    above
}
