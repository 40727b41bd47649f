//! The wait-for graph, condensed so that it has no circles, and what rules over what in it.

use std::collections::HashMap;

use super::Node;
use crate::model::{Backend, PreparedTransaction};

/// A group of sessions that wait for each other in a circle, or (nearly always) one session alone.
pub(super) struct Group {
    /// Its sessions, in the server's order.
    pub(super) nodes: Vec<Node>,
    /// The groups it waits for, each once. They stand before it in the list.
    pub(super) blockers: Vec<usize>,
    /// Whether its sessions wait at all.
    pub(super) waits: bool,
    /// The one group that every way to freedom leads through: its end alone frees this one, in the end.
    pub(super) ruler: Option<usize>,
    /// How many rulers stand above it.
    pub(super) level: usize,
}

impl Group {
    pub(super) fn size(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }
}

/// Builds the groups, blockers before waiters. Sessions that neither wait nor block are left out.
pub(super) fn groups(backends: &[Backend], prepared: &[PreparedTransaction]) -> Vec<Group> {
    let sessions = Sessions::read(backends, prepared);
    let mut groups = condense(&sessions);
    for at in 0..groups.len() {
        groups[at].ruler = ruler(&groups, at);
        groups[at].level = groups[at].ruler.map_or(0, |ruler| groups[ruler].level + 1);
    }
    groups
}

/// Where all ways up from `at` meet, if they do.
fn ruler(groups: &[Group], at: usize) -> Option<usize> {
    let mut blockers = groups[at].blockers.iter().copied();
    let mut meet = blockers.next()?;
    for mut other in blockers {
        while meet != other {
            // The lower one goes up; two of one level go up together, step by step.
            if groups[meet].level >= groups[other].level {
                meet = groups[meet].ruler?;
            } else {
                other = groups[other].ruler?;
            }
        }
    }
    Some(meet)
}

/// One vertex for each session; a parallel worker is its leader.
struct Sessions {
    nodes: Vec<Node>,
    waits: Vec<bool>,
    blockers: Vec<Vec<usize>>,
}

impl Sessions {
    fn read(backends: &[Backend], prepared: &[PreparedTransaction]) -> Self {
        let by_pid: HashMap<i32, usize> =
            backends.iter().enumerate().map(|(at, b)| (b.key.pid, at)).collect();
        // The server answers for a whole lock group, so leader and workers are one.
        let leader_of =
            |at: usize| backends[at].leader_pid.and_then(|pid| by_pid.get(&pid).copied()).unwrap_or(at);
        let mut all = Self { nodes: Vec::new(), waits: Vec::new(), blockers: Vec::new() };
        let mut of_backend = vec![usize::MAX; backends.len()];
        for (at, vertex) in of_backend.iter_mut().enumerate() {
            if leader_of(at) == at {
                *vertex = all.add(Node::Backend(at));
            }
        }
        for at in 0..backends.len() {
            // A leader that is a worker itself does not exist; should a server say so, it stands alone.
            if of_backend[at] == usize::MAX && of_backend[leader_of(at)] == usize::MAX {
                of_backend[at] = all.add(Node::Backend(at));
            }
        }
        for at in 0..backends.len() {
            if of_backend[at] == usize::MAX {
                of_backend[at] = of_backend[leader_of(at)];
            }
        }
        let of_prepared: Vec<usize> = (0..prepared.len()).map(|at| all.add(Node::Prepared(at))).collect();
        let mut unnamed = None;
        let mut queues = Vec::new();
        let mut seen = vec![usize::MAX; all.nodes.len() + 1];
        for (at, backend) in backends.iter().enumerate() {
            let own = of_backend[at];
            all.waits[own] |= backend.waits_for_lock() || !backend.blocked_by.is_empty();
            // `seen` keeps repeated edges out; a parallel query has them by the hundred.
            let mut behind = |all: &mut Self, blocker: usize| {
                if blocker != own && seen[blocker] != own {
                    seen[blocker] = own;
                    all.blockers[own].push(blocker);
                }
            };
            all.blockers[own].reserve(backend.blocked_by.len());
            for pid in &backend.blocked_by {
                if *pid != 0 {
                    if let Some(blocker) = by_pid.get(pid) {
                        behind(&mut all, of_backend[*blocker]);
                        if stands_behind(backend, &backends[*blocker]) {
                            queues.push((own, of_backend[*blocker]));
                        }
                    }
                    continue;
                }
                if let Some(named) = prepared_behind(backend.key.pid, prepared, &of_prepared) {
                    for one in named {
                        behind(&mut all, one);
                    }
                } else {
                    let one = *unnamed.get_or_insert_with(|| all.add(Node::UnnamedPrepared));
                    behind(&mut all, one);
                }
            }
        }
        for (own, head) in queues {
            let holders = all.blockers[head].clone();
            all.blockers[own].extend(holders.into_iter().filter(|holder| *holder != own));
        }
        for list in &mut all.blockers {
            // A leader and its workers may each have told the same.
            list.sort_unstable();
            list.dedup();
        }
        all
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.waits.push(false);
        self.blockers.push(Vec::new());
        self.nodes.len() - 1
    }
}

/// Whether it waits its turn at a row for whose holder this one waits: of that holder the server tells those
/// behind nothing, and still it is what they wait for; the end of this one frees none of them.
fn stands_behind(waiter: &Backend, head: &Backend) -> bool {
    let waits_for = |one: &Backend, event: &str| {
        one.waits_for_lock() && one.wait.as_ref().is_some_and(|wait| wait.event.as_str() == event)
    };
    waits_for(waiter, "tuple") && waits_for(head, "transactionid")
}

/// Which prepared transactions pid 0 stands for; `None` when it is not known.
fn prepared_behind(waiter: i32, prepared: &[PreparedTransaction], vertices: &[usize]) -> Option<Vec<usize>> {
    let known: Vec<usize> = vertices
        .iter()
        .zip(prepared)
        .filter(|(_, one)| one.waiters.contains(&waiter))
        .map(|(vertex, _)| *vertex)
        .collect();
    match (known.is_empty(), vertices) {
        (false, _) => Some(known),
        (true, [only]) => Some(vec![*only]),
        _ => None,
    }
}

/// Tarjan's strongly connected components, without recursion (a chain may be a thousand long).
fn condense(sessions: &Sessions) -> Vec<Group> {
    const NEW: usize = usize::MAX;
    let count = sessions.nodes.len();
    let mut blocks = vec![false; count];
    for blocker in sessions.blockers.iter().flatten() {
        blocks[*blocker] = true;
    }
    let (mut order, mut low, mut group_of) = (vec![NEW; count], vec![NEW; count], vec![NEW; count]);
    let (mut open, mut path, mut next) = (Vec::new(), Vec::new(), 0);
    let mut groups: Vec<Group> = Vec::new();
    for start in 0..count {
        if order[start] != NEW || !(sessions.waits[start] || blocks[start]) {
            continue;
        }
        path.push((start, 0));
        while let Some((at, tried)) = path.pop() {
            if tried == 0 {
                order[at] = next;
                low[at] = next;
                next += 1;
                open.push(at);
            }
            if let Some(&blocker) = sessions.blockers[at].get(tried) {
                path.push((at, tried + 1));
                if order[blocker] == NEW {
                    path.push((blocker, 0));
                } else if group_of[blocker] == NEW {
                    low[at] = low[at].min(order[blocker]);
                }
                continue;
            }
            if let Some((below, _)) = path.last() {
                low[*below] = low[*below].min(low[at]);
            }
            if low[at] == order[at] {
                let from = open.iter().rposition(|one| *one == at).unwrap_or(0);
                let members = open.split_off(from);
                groups.push(group(sessions, members, groups.len(), &mut group_of));
            }
        }
    }
    groups
}

fn group(sessions: &Sessions, mut members: Vec<usize>, own: usize, group_of: &mut [usize]) -> Group {
    members.sort_unstable();
    for member in &members {
        group_of[*member] = own;
    }
    let mut blockers: Vec<usize> = members
        .iter()
        .flat_map(|member| &sessions.blockers[*member])
        .map(|blocker| group_of[*blocker])
        .filter(|group| *group != own)
        .collect();
    blockers.sort_unstable();
    blockers.dedup();
    Group {
        nodes: members.iter().map(|member| sessions.nodes[*member]).collect(),
        blockers,
        waits: members.iter().any(|member| sessions.waits[*member]),
        ruler: None,
        level: 0,
    }
}
