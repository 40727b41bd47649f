//! What the operator wants. Closed on purpose: this list is the whole power of the tool.

use serde::{Deserialize, Serialize};

use super::{BackendKey, Clearing, Namespace, QueueChange, TargetId, Timestamp};

/// One wish, named precisely enough that nothing else can be hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "intent")]
pub enum Intent {
    /// End these PostgreSQL sessions, each only if it still is that very session.
    TerminateBackend {
        /// The server.
        target: TargetId,
        /// The sessions; more than one where only the set frees anybody.
        backends: Vec<BackendKey>,
    },
    /// Stop one session's statement; the session lives on.
    CancelBackend {
        /// The server.
        target: TargetId,
        /// The session.
        backend: BackendKey,
        /// Start of the very statement that was meant; `None` lets the plan read it.
        query_start: Option<Timestamp>,
    },
    /// Roll back a transaction that was prepared for two-phase commit: its changes are lost.
    RollbackPrepared {
        /// The server.
        target: TargetId,
        /// Its name, as the server tells it.
        gid: String,
        /// The database it was prepared in; it can be ended only from there.
        database: String,
    },
    /// Remove every key of one namespace.
    ClearNamespace {
        /// The cache.
        target: TargetId,
        /// The namespace, as configured.
        namespace: Namespace,
        /// How, and which of its keys.
        #[serde(default)]
        how: Clearing,
    },
    /// Change how much one server behind a proxy gets.
    SetServer {
        /// The proxy.
        target: TargetId,
        /// The server's backend.
        backend: String,
        /// Its name in there.
        server: String,
        /// What becomes of it.
        to: ServerChange,
    },
    /// Let workers leave a queue alone, or take its jobs again.
    PauseQueue {
        /// Where the queue is.
        target: TargetId,
        /// The queue; `None` is all of them, where the library has one switch.
        queue: Option<String>,
        /// What becomes of it.
        to: QueueChange,
    },
    /// Write down that a deploy happens now.
    MarkDeploy {
        /// `v8.1.2`.
        label: String,
        /// Free text.
        note: String,
    },
}

/// What becomes of one server behind a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerChange {
    /// It takes its share again.
    Ready,
    /// No new requests; what it has it may finish.
    Drain,
    /// Taken out, its checks too.
    Maintenance,
    /// Taken for well, whatever its checks say.
    Healthy,
    /// This weight, 0 to 256.
    Weight(u16),
}

impl ServerChange {
    /// As the command line writes it.
    #[must_use]
    pub fn flag(self) -> String {
        match self {
            Self::Ready => "--ready".into(),
            Self::Drain => "--drain".into(),
            Self::Maintenance => "--maint".into(),
            Self::Healthy => "--healthy".into(),
            Self::Weight(weight) => format!("--weight {weight}"),
        }
    }
}

impl Intent {
    /// The intent's name in the journal and in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TerminateBackend { .. } => "terminate_backend",
            Self::CancelBackend { .. } => "cancel_backend",
            Self::RollbackPrepared { .. } => "rollback_prepared",
            Self::ClearNamespace { .. } => "clear_namespace",
            Self::SetServer { .. } => "set_server",
            Self::PauseQueue { .. } => "pause_queue",
            Self::MarkDeploy { .. } => "mark_deploy",
        }
    }

    /// The target it touches; a mark touches none.
    #[must_use]
    pub const fn target(&self) -> Option<&TargetId> {
        match self {
            Self::TerminateBackend { target, .. }
            | Self::CancelBackend { target, .. }
            | Self::RollbackPrepared { target, .. }
            | Self::SetServer { target, .. }
            | Self::PauseQueue { target, .. }
            | Self::ClearNamespace { target, .. } => Some(target),
            Self::MarkDeploy { .. } => None,
        }
    }

    /// The same wish as a command line, for runbooks and for `remedy.command`.
    #[must_use]
    pub fn command_line(&self) -> String {
        match self {
            Self::TerminateBackend { target, backends } => {
                backends.iter().fold(format!("warroom kill --target {target}"), |line, one| {
                    format!("{line} --pid {} --started {}", one.pid, one.started)
                })
            }
            Self::CancelBackend { target, backend, .. } => format!(
                "warroom kill --target {target} --pid {} --started {} --cancel",
                backend.pid, backend.started
            ),
            Self::RollbackPrepared { target, gid, .. } => {
                format!("warroom kill --target {target} --prepared={}", shell_word(gid))
            }
            Self::ClearNamespace { target, namespace, how } => {
                format!("warroom clear {} --target {target}{}", shell_word(&namespace.name), how.flags())
            }
            Self::SetServer { target, backend, server, to } => {
                let server = shell_word(&format!("{backend}/{server}"));
                format!("warroom server {server} --target {target} {}", to.flag())
            }
            Self::PauseQueue { target, queue, to } => {
                let which = queue.as_deref().map_or_else(|| "--all".to_owned(), shell_word);
                format!("warroom {} {which} --target {target}", to.word())
            }
            Self::MarkDeploy { label, .. } => format!("warroom mark {}", shell_word(label)),
        }
    }
}

/// Quotes a word for a POSIX shell, so that a pasted command line means what it shows.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('-') {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_command_line_cannot_run_anything_else() {
        let mark = Intent::MarkDeploy { label: "v1; rm -rf '$HOME'".into(), note: String::new() };
        assert_eq!(mark.command_line(), r"warroom mark 'v1; rm -rf '\''$HOME'\'''");
    }
}
