//! The servers that keep queues and nothing else: a message broker's nodes.

use serde::{Deserialize, Serialize};

use super::SafeText;

/// How a broker is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Broker {
    /// Its nodes.
    pub nodes: Vec<BrokerNode>,
    /// Connections that may put nothing in while an alarm lasts; `None` where nobody looked.
    pub blocked: Option<u64>,
    /// Users those connections logged in as, each once.
    pub blocked_users: Vec<SafeText>,
}

/// One node of a broker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BrokerNode {
    /// `rabbit@mq1`.
    pub name: SafeText,
    /// Whether the others reach it.
    pub running: bool,
    /// Memory used, bytes.
    pub memory: Option<u64>,
    /// Memory from which on nobody may put in anything, bytes.
    pub memory_limit: Option<u64>,
    /// It is over that limit.
    pub memory_alarm: bool,
    /// Free on its disk, bytes.
    pub disk_free: Option<u64>,
    /// Free disk under which nobody may put in anything, bytes.
    pub disk_limit: Option<u64>,
    /// It is under that limit.
    pub disk_alarm: bool,
    /// Nodes it lost touch with while both sides went on by themselves.
    pub apart_from: Vec<SafeText>,
}
