//! Who is connected to a cache, as far as trouble made it worth a look.

use serde::{Deserialize, Serialize};

use super::SafeText;

/// Connections of a cache, by CLIENT LIST. It is not read at every poll: the server lists every one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CacheClients {
    /// Connections listed, warroom's own among them.
    pub listed: u64,
    /// By who they are, most connections first; warroom's own left out.
    pub groups: Vec<CacheClientGroup>,
    /// Those that were seen to have just connected, most first; kept for ten seconds.
    pub fresh: Vec<FreshClients>,
    /// Those whose answers pile up, or who are sent every command; most bytes first.
    pub heavy: Vec<HeavyClient>,
}

/// Connections of one program, as far as the server can tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CacheClientGroup {
    /// Name, address and library: `web at 10.0.0.7 (redis-py 5.0.1)`.
    pub who: SafeText,
    /// Connections.
    pub connections: u64,
    /// Of those, the ones that asked nothing for a minute.
    pub idle: u64,
}

/// New connections of one program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FreshClients {
    /// As [`CacheClientGroup::who`].
    pub who: SafeText,
    /// Connections seen; there are more that came and went between two looks.
    pub seen: u64,
}

/// One connection that costs the server more than others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HeavyClient {
    /// As [`CacheClientGroup::who`], with its port.
    pub who: SafeText,
    /// What it is to the server.
    pub role: ClientRole,
    /// Its last command, in small letters.
    pub command: SafeText,
    /// Bytes of answers that wait for it.
    pub bytes: u64,
    /// Seconds it is connected.
    pub age: u64,
}

/// What a connection is to a cache server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientRole {
    /// It asks and is answered.
    #[default]
    Normal,
    /// It is sent what others publish.
    Subscriber,
    /// It is sent every write.
    Replica,
    /// It is sent every command of everybody.
    Monitor,
}

impl HeavyClient {
    /// What it is, and its command: `a subscriber, SUBSCRIBE`.
    #[must_use]
    pub fn role_in_words(&self) -> String {
        let command = self.command.as_str().to_uppercase();
        match self.role {
            ClientRole::Normal => command,
            ClientRole::Subscriber => format!("a subscriber, {command}"),
            ClientRole::Replica => "a replica".into(),
            ClientRole::Monitor => "MONITOR".into(),
        }
    }
}
