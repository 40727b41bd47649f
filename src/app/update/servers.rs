//! Which server behind a proxy is meant, and whether it can be told anything.

use super::moves;
use crate::app::{App, Command, RowKey, Tab};
use crate::model::{Intent, Sample, ServerChange, TargetId};

/// The selected server as target, backend and name; an error where none is, or its proxy permits no change.
pub(super) fn selected(app: &App) -> Result<(TargetId, String, String), String> {
    let none = || "no server is selected: 1 and Enter list those behind the proxy".to_owned();
    let Some(RowKey::Target(row)) =
        (moves::tab(app) == Some(Tab::Backends)).then(|| moves::row(app)).flatten()
    else {
        return Err(none());
    };
    let id = row.target();
    let target = app.world.store.target(&id).ok_or_else(none)?;
    let Some(Sample::Proxy(sample)) = target.sample.as_ref().map(|sample| &sample.it) else {
        return Err(none());
    };
    let found = sample.backends.iter().find_map(|backend| {
        let of =
            |server: &&crate::model::ProxyServer| id.row(&format!("{}/{}", backend.name, server.name)) == row;
        backend.servers.iter().find(of).map(|server| (backend.name.to_string(), server.name.to_string()))
    });
    let Some((backend, server)) = found else {
        return Err("a backend is selected: choose one of its servers below it".into());
    };
    if !matches!(target.info.kind.as_str(), "haproxy" | "varnish") {
        return Err(format!("{id} is of kind {}: only HAProxy and Varnish can be told", target.info.kind));
    }
    match sample.process.as_ref().and_then(|process| process.level.as_ref()) {
        Some(level) if level.as_str() == "admin" => Ok((id, backend, server)),
        Some(level) => {
            Err(format!("the socket's level is {level}: `level admin` on its `stats socket` line permits it"))
        }
        None if target.info.kind == "varnish" => {
            Err("its management does not answer: see `warroom doctor`".into())
        }
        None if ["unix:", "tcp:"].iter().any(|door| target.info.endpoint.starts_with(door)) => {
            Ok((id, backend, server))
        }
        None => {
            Err("the statistics page can only be read: let the url lead to a runtime socket of level admin"
                .into())
        }
    }
}

/// What a command wants of the selected server.
pub(super) fn intent(app: &App, command: Command) -> Result<Intent, String> {
    let to = match command {
        Command::Drain => ServerChange::Drain,
        Command::Maintenance => ServerChange::Maintenance,
        _ => ServerChange::Ready,
    };
    let (target, backend, server) = selected(app)?;
    Ok(Intent::SetServer { target, backend, server, to })
}

/// Another weight for the selected server.
pub(super) fn weigh(app: &App, argument: Option<&str>) -> Result<Intent, String> {
    let (target, backend, server) = selected(app)?;
    let weight = argument.and_then(|text| text.trim().parse::<u16>().ok()).filter(|weight| *weight <= 256);
    let weight = weight.ok_or("give the weight, 0 to 256: `:weight 50`")?;
    Ok(Intent::SetServer { target, backend, server, to: ServerChange::Weight(weight) })
}
