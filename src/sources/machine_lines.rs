//! What `doctor` says of a machine, however it was read.

use crate::model::{DoctorLine, HostSample, Severity};

/// What was seen of the machine, and every gap with its reason.
pub(super) fn examine(sample: &HostSample) -> Vec<DoctorLine> {
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
