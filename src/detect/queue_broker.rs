//! Rules `broker_alarm`, `broker_node` and `queue_unusable`: a broker that takes nothing in, a node of it
//! that is gone, a queue that nobody can use.

use std::time::Duration;

use super::{Assessment, View};
use crate::model::words::{bytes, many};
use crate::model::{Broker, BrokerNode, Culprit, Resource, SafeText, Severity, TargetId};

/// How every broker and its queues stand.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    let mut out = Vec::new();
    for (target, sample) in view.store.queues(view.now) {
        let id = &target.info.id;
        if let Some(broker) = &sample.broker {
            out.push(alarm(id, broker));
            out.push(apart(id, broker));
            out.push(nodes(id, broker));
        }
        for queue in &sample.queues {
            let it = |id: TargetId| Assessment::new("queue_unusable", Resource::QueueBacklog, id);
            if let Some(why) = &queue.unusable {
                let culprit = Culprit::Queue { name: queue.name.clone(), depth: queue.depth };
                let it = it(id.row(queue.name.as_str())).at_least(Severity::Critical).culprit(culprit);
                out.push(it.says(format!("nothing can be put in or taken out: it is {why}")));
            } else if sample.broker.is_some() {
                // Said of the healthy too, so that its end is seen.
                out.push(it(id.row(queue.name.as_str())).says("can be used"));
            }
        }
    }
    out
}

/// Memory or disk has run out somewhere: the whole broker takes nothing in.
fn alarm(id: &TargetId, broker: &Broker) -> Assessment {
    let it = Assessment::new("broker_alarm", Resource::QueueBacklog, id.clone());
    let Some(node) = broker.nodes.iter().find(|node| node.memory_alarm || node.disk_alarm) else {
        return it.says("no alarm");
    };
    let held = match broker.blocked {
        Some(0) | None => "whoever puts jobs in is made to wait".to_owned(),
        Some(some) => {
            let users: Vec<&str> = broker.blocked_users.iter().map(SafeText::as_str).collect();
            let one = if some == 1 { "puts jobs in and is" } else { "put jobs in and are" };
            format!("{} of {} {one} made to wait", many(some, "connection", "connections"), users.join(", "))
        }
    };
    let culprit = Culprit::Device { name: SafeText::new(&format!("{} {}", node.name, scarce(node).0)) };
    it.at_least(Severity::Critical).says(format!("{}: {held}", scarce(node).1)).culprit(culprit)
}

/// What a node lacks: the word, and the sentence.
fn scarce(node: &BrokerNode) -> (&'static str, String) {
    let told = |have: Option<u64>, limit: Option<u64>, word: &str| {
        have.zip(limit).map_or_else(String::new, |(have, limit)| {
            format!(" ({}{word}{})", bytes(have as f64), bytes(limit as f64))
        })
    };
    if node.memory_alarm {
        let fill = told(node.memory, node.memory_limit, " used, the limit is ");
        ("memory", format!("{} is out of memory{fill}", node.name))
    } else {
        let free = told(node.disk_free, node.disk_limit, " free, it wants ");
        ("disk", format!("{} is out of disk{free}", node.name))
    }
}

/// Nodes that lost each other while both went on.
fn apart(id: &TargetId, broker: &Broker) -> Assessment {
    let it = Assessment::new("broker_apart", Resource::QueueBacklog, id.clone()).hold(Duration::from_secs(5));
    let apart = broker.nodes.iter().find_map(|node| node.apart_from.first().map(|from| (&node.name, from)));
    let Some((one, other)) = apart else { return it.says("no node is apart") };
    let says = format!("{one} and {other} lost each other and went on apart: their queues differ by now");
    it.at_least(Severity::Critical).says(says)
}

/// A node that is gone.
fn nodes(id: &TargetId, broker: &Broker) -> Assessment {
    let it = Assessment::new("broker_node", Resource::QueueBacklog, id.clone()).hold(Duration::from_secs(5));
    let all = broker.nodes.len();
    let down: Vec<&str> = broker.nodes.iter().filter(|it| !it.running).map(|it| it.name.as_str()).collect();
    if down.is_empty() {
        return it.says(format!("{} up", many(all as u64, "node is", "nodes are")));
    }
    let are = if down.len() == 1 { "is" } else { "are" };
    let says = format!("{} of {all} nodes {are} down: {}", down.len(), down.join(", "));
    it.at_least(Severity::Warning).says(says).culprit(Culprit::Device { name: SafeText::new(down[0]) })
}
