//! What of this machine can be watched, and what is missing.

use super::HostSource;
use crate::config::TargetSpec;
use crate::model::{DoctorLine, HostSample, Sample, Severity};
use crate::sources::{BoxFuture, Source};

/// Polls once and tells every gap with its reason.
pub(super) fn doctor(spec: &TargetSpec) -> BoxFuture<'static, Vec<DoctorLine>> {
    let mut source = HostSource::new(spec.id.clone());
    Box::pin(async move {
        let mut lines = Vec::new();
        for reading in source.poll().await {
            match reading.sample {
                Ok(Sample::Host(sample)) => lines.extend(examine(&sample)),
                Ok(_) => {}
                Err(error) => lines.push(DoctorLine::lacking(Severity::Critical, &error.to_string(), "")),
            }
        }
        lines
    })
}

fn examine(sample: &HostSample) -> Vec<DoctorLine> {
    let mut lines = vec![DoctorLine::fine(&format!(
        "{}: {} cores, {} file systems, {} disks, {} interfaces, {} listening ports",
        sample.hostname,
        sample.cores,
        sample.filesystems.len(),
        sample.disks.len(),
        sample.interfaces.len(),
        sample.listeners.len(),
    ))];
    lines.extend(sample.missing.iter().map(|gap| {
        DoctorLine::lacking(Severity::Unknown, &format!("{} not watched: {}", gap.what, gap.why), "")
    }));
    lines
}
