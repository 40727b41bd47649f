//! What `doctor` says of a machine, however it was read.

use crate::model::words::many;
use crate::model::{DoctorLine, HostSample, Severity};

/// What was seen of the machine, and every gap with its reason.
pub(super) fn examine(sample: &HostSample) -> Vec<DoctorLine> {
    let mut lines = vec![DoctorLine::fine(&format!(
        "{}: {}, {}, {}, {}, {}",
        sample.hostname,
        many(sample.cores.into(), "core", "cores"),
        many(sample.filesystems.len() as u64, "file system", "file systems"),
        many(sample.disks.len() as u64, "disk", "disks"),
        many(sample.interfaces.len() as u64, "interface", "interfaces"),
        many(sample.listeners.len() as u64, "listening port", "listening ports"),
    ))];
    lines.extend(sample.missing.iter().map(|gap| {
        DoctorLine::lacking(Severity::Unknown, &format!("{} not watched: {}", gap.what, gap.why), "")
    }));
    lines
}
