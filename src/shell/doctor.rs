//! Examines every target at once; one that hangs holds up no other.

use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::timeout;

use crate::config::{Config, TargetSpec};
use crate::model::{DoctorLine, Severity, TargetId};
use crate::sources::KINDS;

/// Longest an examination may take beyond the target's own timeout: it asks several questions.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was found about one target.
#[derive(Clone, Debug, Serialize)]
pub struct Examined {
    /// Its id.
    pub id: TargetId,
    /// Its kind.
    pub kind: String,
    /// What is fine, what is not, and what mends it; never empty.
    pub lines: Vec<DoctorLine>,
}

impl Examined {
    /// The worst line.
    pub fn worst(&self) -> Severity {
        self.lines.iter().map(|line| line.ok).max().unwrap_or_default()
    }
}

/// Examines every target of the config.
pub async fn examine(config: &Config) -> Vec<Examined> {
    join_all(config.targets.iter().map(one)).await
}

async fn one(spec: &TargetSpec) -> Examined {
    let lines = match (&spec.broken, KINDS.iter().find(|kind| kind.name == spec.kind)) {
        (Some(why), _) => {
            vec![DoctorLine::lacking(
                Severity::Critical,
                why,
                "set it where warroom is started, or change the config",
            )]
        }
        (None, None) => vec![DoctorLine::lacking(Severity::Critical, "no such kind of target", "")],
        (None, Some(kind)) => {
            timeout(spec.timeout + PATIENCE, (kind.doctor)(spec)).await.unwrap_or_else(|_| {
                let says = format!("{} did not answer in {:.0?}", spec.endpoint(), spec.timeout + PATIENCE);
                vec![DoctorLine::lacking(
                    Severity::Critical,
                    &says,
                    "see whether it hangs, or raise the target's timeout",
                )]
            })
        }
    };
    Examined { id: spec.id.clone(), kind: spec.kind.clone(), lines }
}
