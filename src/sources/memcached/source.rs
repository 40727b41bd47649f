//! One poll: a timed word, then three lists of counters.

use std::io;

use tokio::time::Instant;

use super::stats;
use crate::config::TargetSpec;
use crate::dial::{MemcachedDoor, MemcachedLine};
use crate::model::{CacheSample, DoctorLine, Millis, PollError, Reading, Sample, Severity, TargetId};
use crate::sources::one_answer::one_answer;
use crate::sources::{BoxFuture, Source};

/// Polls one memcached.
pub(super) struct MemcachedSource {
    id: TargetId,
    door: MemcachedDoor,
    /// Kept from poll to poll; a poll that is dropped drops it too.
    line: Option<MemcachedLine>,
}

impl MemcachedSource {
    /// Does not connect yet.
    pub(super) fn new(spec: &TargetSpec) -> Result<Self, String> {
        Ok(Self { id: spec.id.clone(), door: MemcachedDoor::of(spec)?, line: None })
    }

    async fn sample(&mut self) -> Result<CacheSample, PollError> {
        let kept = self.line.take();
        let fresh = kept.is_none();
        let mut line = match kept {
            Some(line) => line,
            None => self.door.open().await?,
        };
        let mut answer = asked(&mut line).await;
        if answer.is_err() && !fresh {
            // Closed since the last poll: idle for too long there, or started anew.
            line = self.door.open().await?;
            answer = asked(&mut line).await;
        }
        let sample = answer.map_err(|error| self.door.broken(&error))?;
        self.line = Some(line);
        Ok(sample)
    }
}

async fn asked(line: &mut MemcachedLine) -> io::Result<CacheSample> {
    let began = Instant::now();
    line.ask_line("version").await?;
    let ping = Millis::from(began.elapsed()).0;
    let stats = line.ask_stats("stats").await?;
    let settings = line.ask_stats("stats settings").await?;
    let items = line.ask_stats("stats items").await?;
    Ok(stats::sample(&stats, &settings, &items, ping))
}

/// Examines a target: reachable, its version, what it is set up for.
pub(super) async fn doctor(spec: TargetSpec) -> Vec<DoctorLine> {
    let mut source = match MemcachedSource::new(&spec) {
        Ok(source) => source,
        Err(why) => return vec![DoctorLine::lacking(Severity::Critical, &why, "correct the target's url")],
    };
    match source.sample().await {
        Ok(sample) => {
            let what =
                format!("{} answers at {} and tells its counters", sample.product, source.door.place());
            let mut lines = vec![DoctorLine::fine(&what)];
            if sample.eviction_policy.as_str() == "noeviction" {
                lines.push(DoctorLine::lacking(
                    Severity::Warning,
                    "writes fail when it is full: it was started with -M",
                    "start it without -M",
                ));
            }
            lines
        }
        Err(error) => {
            let severity = if error.kind.is_ours() { Severity::Unknown } else { Severity::Critical };
            vec![DoctorLine::lacking(severity, &error.to_string(), "")]
        }
    }
}

impl Source for MemcachedSource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        one_answer(self.id.clone(), self.sample(), Sample::Cache)
    }
}
