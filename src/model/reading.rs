//! One answer of a target, or one failure to answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::words::span;
use super::{
    AppSample, CacheSample, DatabaseSample, FleetSample, HostSample, Millis, PoolerSample, ProxySample,
    QueueSample, SafeText, TargetId,
};

/// What came of one poll. A poll that failed is a reading too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The target that was asked.
    pub target: TargetId,
    /// How long it took to answer or to fail.
    pub took: Millis,
    /// What it said.
    pub sample: Result<Sample, PollError>,
}

/// The content of an answer: one variant a question, whatever the technology.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sample {
    /// A machine.
    Host(Box<HostSample>),
    /// A database server.
    Database(Box<DatabaseSample>),
    /// A cache.
    Cache(Box<CacheSample>),
    /// Worker queues.
    Queue(Box<QueueSample>),
    /// A proxy.
    Proxy(Box<ProxySample>),
    /// An app server.
    App(Box<AppSample>),
    /// A connection pooler.
    Pooler(Box<PoolerSample>),
    /// A source of many machines, beside a sample for each of them.
    Fleet(Box<FleetSample>),
}

/// Why a target gave no sample.
#[derive(Clone, Debug, Error, PartialEq, Eq, Serialize, Deserialize)]
#[error("{says}")]
pub struct PollError {
    /// What sort of failure.
    pub kind: PollErrorKind,
    /// What, where and why, in words; no secrets.
    pub says: SafeText,
}

impl PollError {
    /// A failure of this kind, told in `says` (cleaned here).
    #[must_use]
    pub fn new(kind: PollErrorKind, says: &str) -> Self {
        Self { kind, says: SafeText::new(says) }
    }

    /// Nothing came back for as long as one is willing to wait.
    #[must_use]
    pub fn silent(patience: Duration) -> Self {
        let says = format!("nothing came back within {}", span(patience.as_secs_f64()));
        Self::new(PollErrorKind::Timeout, &says)
    }

    /// What failed if `why`, the system's own text, is about looking up the name in `place`.
    #[must_use]
    pub fn unresolved(place: &str, why: &str) -> Option<Self> {
        let (_, reason) = why.split_once("failed to lookup address information: ")?;
        let says = format!("cannot look up {place}: {}", reason.to_lowercase());
        Some(Self::new(PollErrorKind::Unreachable, &says))
    }
}

/// The sorts of failure that call for different answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PollErrorKind {
    /// Nobody listens there, or the name is not known.
    Unreachable,
    /// Connected, but no answer in time.
    Timeout,
    /// It answered, but not in its protocol, or it broke off.
    Garbage,
    /// It is up and takes no more connections.
    Exhausted,
    /// It is starting, stopping, loading or recovering.
    Unavailable,
    /// Password, certificate or login refused.
    Login,
    /// Logged in, but not allowed to look.
    Rights,
    /// Too old, or not the technology the config says.
    Unsupported,
    /// The config does not say enough to ask it at all.
    Config,
}

impl PollErrorKind {
    /// Whether the failure is ours (login, rights, version) and so says nothing of the target's health.
    #[must_use]
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Login | Self::Rights | Self::Unsupported | Self::Config)
    }
}

impl std::fmt::Display for PollErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "no answer in time",
            Self::Garbage => "answers garbage",
            Self::Exhausted => "takes no more connections",
            Self::Unavailable => "not ready",
            Self::Login => "login refused",
            Self::Rights => "not allowed",
            Self::Unsupported => "not supported",
            Self::Config => "wrongly configured",
        })
    }
}

/// Something a sample lacks, and why: a gap with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// What is not there.
    pub what: SafeText,
    /// Why, and the mend where there is one.
    pub why: SafeText,
}

impl Missing {
    /// A gap with its reason (both cleaned here).
    #[must_use]
    pub fn new(what: &str, why: &str) -> Self {
        Self { what: SafeText::new(what), why: SafeText::new(why) }
    }
}
