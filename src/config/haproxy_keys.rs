//! What only a HAProxy has: a ring to follow, a master to ask, and servers whose sockets it does not tell.

use super::TargetSpec;
use super::document::{Document, Section};

/// Reads them, at a target of that kind; at any other they are faults already.
pub(super) fn haproxy_keys(doc: &mut Document<'_>, at: &Section<'_, '_>, spec: &mut TargetSpec) {
    if spec.kind == "haproxy" {
        ring(doc, at, spec);
        master_socket(doc, at, spec);
        sockets(doc, at, spec);
    }
}

/// Reads the key `ring`: it is sent to the runtime interface, where nothing in it may end the command.
fn ring(doc: &mut Document<'_>, at: &Section<'_, '_>, spec: &mut TargetSpec) {
    let Some((name, span)) = doc.text(at, "ring") else { return };
    let legal = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c));
    if legal {
        spec.ring = Some(name);
    } else {
        let why = "is no name of a ring section: letters, digits and - _ . : only, such as \"requests\"";
        doc.fault(at, "ring", &span, why.into());
    }
}

/// Reads the key `master_socket`.
fn master_socket(doc: &mut Document<'_>, at: &Section<'_, '_>, spec: &mut TargetSpec) {
    let Some((text, span)) = doc.text(at, "master_socket") else { return };
    if text.strip_prefix("unix:").is_some_and(|path| path.starts_with('/')) {
        spec.master_socket = Some(text);
    } else {
        doc.fault(
            at,
            "master_socket",
            &span,
            "must be unix: and a path, such as \"unix:/run/haproxy-master.sock\"".into(),
        );
    }
}

/// Reads the table `sockets`: paths by `backend/server`.
fn sockets(doc: &mut Document<'_>, at: &Section<'_, '_>, spec: &mut TargetSpec) {
    let Some(table) = doc.table(at, "sockets") else { return };
    let names: Vec<String> = table.table.keys().map(|name| name.get_ref().to_string()).collect();
    for name in names {
        let Some((text, span)) = doc.text(&table, &name) else { continue };
        let path = text.strip_prefix("unix:").unwrap_or(&text);
        let why = if !name.contains('/') {
            "stands at no server: write its backend before it, such as \"app/web1\" = \"/run/app.sock\""
        } else if !path.starts_with('/') {
            "must be the path of a socket, such as \"/run/app.sock\""
        } else {
            spec.sockets.push((name, path.to_owned()));
            continue;
        };
        doc.fault(&table, &name, &span, why.into());
    }
}
