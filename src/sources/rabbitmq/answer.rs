//! The API's answers: queues, nodes, connections, bindings. Pure.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::roles::{Place, Signs};
use crate::model::{Broker, BrokerNode, SafeText};

/// What is asked of a queue: everything else makes the answer ten times as long.
pub(super) const QUEUE_COLUMNS: &str = "name,vhost,type,state,durable,exclusive,auto_delete,messages_ready,\
    messages_unacknowledged,consumers,head_message_timestamp,idle_since,message_stats.publish,message_stats.ack,\
    message_stats.deliver_no_ack,message_stats.get_no_ack,message_stats.redeliver,arguments,\
    effective_policy_definition,members,online";
/// What is asked of a node.
pub(super) const NODE_COLUMNS: &str =
    "name,running,mem_used,mem_limit,mem_alarm,disk_free,disk_free_limit,disk_free_alarm,partitions";
/// What is asked of a connection.
pub(super) const CONNECTION_COLUMNS: &str = "state,user";

/// One page of a list.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub(super) struct Page<T> {
    pub(super) filtered_count: u64,
    pub(super) items: Vec<T>,
}

/// A queue as the API tells it. What it has not counted yet it leaves out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct QueueRow {
    pub(super) name: String,
    pub(super) vhost: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) state: String,
    pub(super) durable: bool,
    pub(super) exclusive: Value,
    pub(super) auto_delete: bool,
    pub(super) messages_ready: Option<u64>,
    pub(super) messages_unacknowledged: Option<u64>,
    pub(super) consumers: Option<u32>,
    pub(super) head_message_timestamp: Value,
    pub(super) idle_since: Value,
    pub(super) message_stats: Option<Stats>,
    // An empty table is written as a list by some versions.
    pub(super) arguments: Value,
    pub(super) effective_policy_definition: Value,
    /// Nodes that keep a copy of it, where it is one that is kept by several.
    pub(super) members: Vec<String>,
    /// Those of them that answer.
    pub(super) online: Vec<String>,
}

/// Messages counted since the node started. What never happened is left out.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Stats {
    pub(super) publish: u64,
    pub(super) ack: u64,
    pub(super) deliver_no_ack: u64,
    pub(super) get_no_ack: u64,
    pub(super) redeliver: u64,
}

impl QueueRow {
    /// Where it is.
    pub(super) fn place(&self) -> Place {
        (self.vhost.clone(), self.name.clone())
    }

    /// Made for one connection or for as long as somebody reads it: replies, remote control.
    pub(super) fn is_passing(&self) -> bool {
        self.exclusive.as_bool() == Some(true) || (self.auto_delete && !self.durable)
    }

    /// Why it can be neither filled nor emptied.
    pub(super) fn unusable(&self) -> Option<&'static str> {
        match self.state.as_str() {
            "down" => Some("down: the node that keeps it is gone"),
            "minority" => Some("without a majority of its members"),
            "crashed" => Some("crashed"),
            "stopped" => Some("stopped: its virtual host is down there"),
            // While half of them is gone its state may still be told as running.
            _ if self.kind == "quorum"
                && !self.members.is_empty()
                && 2 * self.online.len() <= self.members.len() =>
            {
                Some("without a majority of its members")
            }
            _ => None,
        }
    }

    /// When the message at its head was made, microseconds, if its sender said so.
    pub(super) fn head_made(&self) -> Option<i64> {
        let told = self.head_message_timestamp.as_i64().filter(|told| *told > 0)?;
        // Seconds by the protocol; some senders write milliseconds.
        told.checked_mul(if told > 100_000_000_000 { 1_000 } else { 1_000_000 })
    }

    /// What tells its role; `read` says whether it was ever seen being read.
    pub(super) fn signs(&self, read: bool) -> Signs {
        let policy = |key: &str| self.effective_policy_definition.get(key).filter(|it| !it.is_null());
        let own = |key: &str| self.arguments.get(format!("x-{key}")).filter(|it| !it.is_null());
        let setting = |key: &str| own(key).or_else(|| policy(key));
        let text = |key: &str| setting(key).and_then(Value::as_str).map(str::to_owned);
        Signs {
            dead_exchange: text("dead-letter-exchange"),
            dead_key: text("dead-letter-routing-key"),
            expires: setting("message-ttl").is_some(),
            read,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NodeRow {
    name: String,
    running: bool,
    mem_used: Option<u64>,
    mem_limit: Option<u64>,
    mem_alarm: bool,
    disk_free: Option<u64>,
    disk_free_limit: Option<u64>,
    disk_free_alarm: bool,
    partitions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct ConnectionRow {
    state: String,
    user: String,
}

#[derive(Deserialize)]
struct BindingRow {
    destination: String,
    destination_type: String,
}

/// Reads JSON; the error says what is wrong with it. A field may stand there twice, as `online` does in 3.10.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str::<Value>(text)
        .and_then(serde_json::from_value)
        .map_err(|error| format!("is it RabbitMQ's management? its answer is none: {error}"))
}

/// How the nodes are.
pub(super) fn nodes(text: &str) -> Result<Broker, String> {
    let node = |row: NodeRow| BrokerNode {
        name: SafeText::new(&row.name),
        running: row.running,
        memory: row.mem_used,
        memory_limit: row.mem_limit,
        memory_alarm: row.mem_alarm,
        disk_free: row.disk_free,
        disk_limit: row.disk_free_limit,
        disk_alarm: row.disk_free_alarm,
        apart_from: row.partitions.iter().map(|name| SafeText::new(name)).collect(),
    };
    Ok(Broker { nodes: read::<Vec<NodeRow>>(text)?.into_iter().map(node).collect(), ..Broker::default() })
}

/// Connections that may put nothing in, and who they are.
pub(super) fn blocked(text: &str) -> Result<(u64, Vec<SafeText>), String> {
    let page: Page<ConnectionRow> = read(text)?;
    // "blocking" has not tried yet; it is blocked as soon as it does.
    let held: Vec<_> =
        page.items.iter().filter(|it| it.state == "blocked" || it.state == "blocking").collect();
    let users: BTreeSet<&str> = held.iter().map(|it| it.user.as_str()).collect();
    Ok((held.len() as u64, users.into_iter().take(8).map(SafeText::new).collect()))
}

/// The queues that an exchange's bindings lead to.
pub(super) fn bound_queues(text: &str) -> Result<BTreeSet<String>, String> {
    let rows: Vec<BindingRow> = read(text)?;
    Ok(rows.into_iter().filter(|row| row.destination_type == "queue").map(|row| row.destination).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    #[test]
    fn a_queue_is_read_with_whatever_it_lacks() {
        let row: QueueRow = read(
            r#"{"name":"mail","vhost":"/","arguments":[],"head_message_timestamp":1795267219,"exclusive":false,
                "effective_policy_definition":{"dead-letter-exchange":"graves","message-ttl":60000}}"#,
        )
        .expect("a row");
        assert_eq!((row.messages_ready, row.head_made()), (None, Some(1_795_267_219_000_000)));
        let signs = row.signs(false);
        assert_eq!((signs.dead_exchange.as_deref(), signs.expires), (Some("graves"), true));
        let row: QueueRow = read(
            r#"{"name":"m","arguments":{"x-dead-letter-exchange":"own"},"state":"minority",
                "effective_policy_definition":{"dead-letter-exchange":"policy"},"head_message_timestamp":1795267219123}"#,
        )
        .expect("a row");
        assert_eq!(row.signs(false).dead_exchange.as_deref(), Some("own"), "an argument wins over a policy");
        assert_eq!(row.head_made(), Some(1_795_267_219_123_000));
        assert!(row.unusable().is_some());
        let members = |online: &str| {
            let text = format!(
                r#"{{"type":"quorum","state":"running","members":["a","b"],"online":[],"online":[{online}]}}"#
            );
            read::<QueueRow>(&text).expect("a row").unusable()
        };
        assert_eq!(members(r#""a""#), Some("without a majority of its members"));
        assert_eq!(members(r#""a","b""#), None);
        assert!(read::<QueueRow>("<html>").unwrap_err().contains("is it RabbitMQ's management?"));
    }

    #[test]
    fn torn_answers_are_read_or_refused() {
        let queues = r#"{"filtered_count":1,"items":[{"name":"mail","vhost":"/","type":"quorum","state":"running","durable":true,
            "exclusive":false,"messages_ready":7,"messages_unacknowledged":1,"consumers":2,"head_message_timestamp":1795267219,
            "message_stats":{"publish":9,"ack":1},"arguments":{"x-dead-letter-exchange":"own"},"members":["a","b"],
            "effective_policy_definition":{"dead-letter-exchange":"graves","message-ttl":60000},"online":["a"]}]}"#;
        each_torn_text(queues, |torn| {
            let Ok(page) = read::<Page<QueueRow>>(torn) else { return };
            for row in &page.items {
                drop((row.place(), row.head_made(), row.unusable(), row.is_passing(), row.signs(true)));
            }
        });
        let node = r#"[{"name":"rabbit@a","running":true,"mem_used":1,"mem_limit":2,"disk_free":3,"partitions":["x"]}]"#;
        each_torn_text(node, |torn| drop(nodes(torn)));
        let held = r#"{"filtered_count":1,"items":[{"state":"blocked","user":"app"}]}"#;
        each_torn_text(held, |torn| drop(blocked(torn)));
        each_torn_text(r#"[{"destination":"q","destination_type":"queue"}]"#, |torn| {
            drop(bound_queues(torn));
        });
    }
}
