//! What is concluded from what was seen. Serialised as `check --json` fixes it.

use serde::{Deserialize, Serialize};

use super::{BackendKey, Freed, Intent, LoggedTimes, Resource, SafeText, TargetId, Timestamp};

/// How bad. The order is the order of attention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Fine.
    #[default]
    Ok,
    /// Cannot be judged.
    Unknown,
    /// Look at it.
    Warning,
    /// Act on it.
    Critical,
}

impl Severity {
    /// `.`, `?`, `!`, `!!`: readable without colour.
    #[must_use]
    pub const fn glyph(self) -> &'static str {
        match self {
            Self::Ok => ".",
            Self::Unknown => "?",
            Self::Warning => "!",
            Self::Critical => "!!",
        }
    }

    /// The word in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// One claim of one detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule that made it: `root_blocker`.
    pub rule: String,
    /// The resource under pressure.
    pub resource: Resource,
    /// Target or row.
    pub target: TargetId,
    /// How bad.
    pub severity: Severity,
    /// Since when, as well as it can be known.
    pub since: Timestamp,
    /// One sentence in the operator's words.
    pub says: String,
    /// What it points at.
    pub culprit: Option<Culprit>,
    /// What would mend it.
    pub remedy: Option<Remedy>,
    /// `RESOURCE@TARGET` of the finding this one is a symptom of.
    pub caused_by: Option<String>,
}

impl Finding {
    /// `RESOURCE@TARGET`, as `caused_by` refers to it.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}@{}", self.resource, self.target)
    }
}

/// What a finding points at. In JSON `kind` tells which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Culprit {
    /// A PostgreSQL session.
    Backend {
        /// Process id on the server.
        pid: i32,
        /// `backend_start`.
        started: Timestamp,
        /// What the client calls itself.
        application_name: SafeText,
        /// Role.
        user: SafeText,
        /// `idle in transaction`.
        state: SafeText,
        /// Its statement, cut short.
        query: SafeText,
        /// Sessions that wait behind it, in the end.
        waiters: u32,
        /// Of these, who goes on when it is gone.
        #[serde(default)]
        frees: Freed,
        /// What it holds that others wait for, in short: `orders, RowExclusive`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        holds: Vec<SafeText>,
    },
    /// A prepared transaction.
    Prepared {
        /// Its name.
        gid: SafeText,
        /// Who prepared it.
        owner: SafeText,
        /// Sessions that wait behind it.
        waiters: u32,
        /// In which database: it can be ended only from there.
        #[serde(default)]
        database: SafeText,
        /// Of these, who goes on when it is gone.
        #[serde(default)]
        frees: Freed,
    },
    /// A group of sessions: an application, a role.
    Sessions {
        /// `web`.
        name: SafeText,
        /// How many.
        count: u32,
    },
    /// A command on a cache.
    Command {
        /// The command.
        name: SafeText,
        /// Its client.
        client: SafeText,
    },
    /// A server behind a proxy.
    Server {
        /// `app/web1`.
        name: SafeText,
        /// The proxy's word for its state.
        status: SafeText,
    },
    /// A queue.
    Queue {
        /// Its name.
        name: SafeText,
        /// Jobs waiting.
        depth: u64,
    },
    /// A job of a queue.
    Job {
        /// Its class or function, else its id.
        name: SafeText,
        /// The queue it came from.
        queue: SafeText,
        /// Who has it; empty where that is not told.
        worker: SafeText,
    },
    /// A device, file system or port.
    Device {
        /// `/var`, `sda`, `port 8080`.
        name: SafeText,
    },
}

impl Culprit {
    /// The culprit of a session.
    #[must_use]
    pub fn backend(backend: &super::Backend, waiters: u32) -> Self {
        Self::Backend {
            pid: backend.key.pid,
            started: backend.key.started,
            application_name: backend.application_name.clone(),
            user: backend.user.clone(),
            state: SafeText::new(backend.state.word()),
            query: backend.query.clone(),
            waiters,
            frees: Freed::default(),
            holds: backend.holds.iter().map(|lock| SafeText::new(&lock.short())).collect(),
        }
    }

    /// The same, with what its end would free.
    #[must_use]
    pub fn freeing(mut self, freed: Freed) -> Self {
        if let Self::Backend { frees, .. } | Self::Prepared { frees, .. } = &mut self {
            *frees = freed;
        }
        self
    }

    /// The session's identity, if it is one.
    #[must_use]
    pub const fn backend_key(&self) -> Option<BackendKey> {
        match self {
            Self::Backend { pid, started, .. } => Some(BackendKey { pid: *pid, started: *started }),
            _ => None,
        }
    }
}

/// What would mend a finding. `intent` is absent where only a person can act; `says` then tells what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// What warroom itself can do about it.
    pub intent: Option<Intent>,
    /// `end it: frees 38`.
    pub says: String,
}

impl Remedy {
    /// What only a person can do.
    #[must_use]
    pub fn advice(says: impl Into<String>) -> Self {
        Self { intent: None, says: says.into() }
    }
}

impl Serialize for Remedy {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out = serializer.serialize_struct("Remedy", 4)?;
        out.serialize_field("intent", &self.intent.as_ref().map(Intent::name))?;
        out.serialize_field("target", &self.intent.as_ref().and_then(Intent::target))?;
        out.serialize_field("says", &self.says)?;
        out.serialize_field("command", &self.intent.as_ref().map(Intent::command_line))?;
        out.end()
    }
}

impl<'de> Deserialize<'de> for Remedy {
    /// Reads the sentence only: an intent is never taken from JSON.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Says {
            says: String,
        }
        Says::deserialize(deserializer).map(|it| Self { intent: None, says: it.says })
    }
}

/// One resource of one target, judged: utilisation, saturation and errors where they exist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceState {
    /// Which resource.
    pub resource: Resource,
    /// Target or row.
    pub target: TargetId,
    /// How bad, hold times counted.
    pub severity: Severity,
    /// Busy share, 0 to 1.
    pub utilisation: Option<f64>,
    /// Work that waits, in the resource's own unit.
    pub saturation: Option<f64>,
    /// Failed events since the last poll.
    pub errors: Option<u64>,
    /// What single requests took, where they are told (`request.queue`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logged: Option<LoggedTimes>,
    /// `34 % busy`.
    pub says: String,
}

/// The answer to the question: the worst root cause, or that all is well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// How bad.
    pub severity: Severity,
    /// Which resource, unless all is well.
    pub resource: Option<Resource>,
    /// Where.
    pub target: Option<TargetId>,
    /// One sentence.
    pub says: String,
    /// What it points at.
    pub culprit: Option<Culprit>,
    /// What would mend it.
    pub remedy: Option<Remedy>,
}
