//! What of this machine can be watched, and what is missing.

use super::HostSource;
use crate::config::TargetSpec;
use crate::model::{DoctorLine, Sample, Severity};
use crate::sources::machine_lines::examine;
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
