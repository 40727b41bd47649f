//! The name of a HAProxy ring: it is sent to the runtime interface, where nothing in it may end the command.

use super::TargetSpec;
use super::document::{Document, Section};

/// Reads the key `ring`.
pub(super) fn ring(doc: &mut Document<'_>, at: &Section<'_, '_>, spec: &mut TargetSpec) {
    let Some((name, span)) = doc.text(at, "ring") else { return };
    let legal = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c));
    if legal {
        spec.ring = Some(name);
    } else {
        let why = "is no name of a ring section: letters, digits and - _ . : only, such as \"requests\"";
        doc.fault(at, "ring", &span, why.into());
    }
}
