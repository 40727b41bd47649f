//! Rule `server_slow`: one server behind a proxy answers much slower than its equals. Judged against the
//! others of its own backend, so that a page that is slow everywhere accuses nobody.

use std::time::Duration;

use super::drain::drain;
use super::{Assessment, View};
use crate::model::words::span;
use crate::model::{Culprit, ProxyBackend, ProxyServer, Resource, SafeText, Severity};
use crate::store::Target;

/// Requests in the window below which a mean says nothing.
const TOO_FEW: u64 = 20;
/// Slower than the others by this factor, and by so many milliseconds.
const TIMES: f64 = 3.0;
const MORE_MS: f64 = 50.0;

/// How every backend stands that has servers to compare; silent of the others.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    let proxies = view.store.proxies(view.now);
    proxies
        .flat_map(|(target, sample)| sample.backends.iter().filter_map(move |it| judge(target, it)))
        .collect()
}

fn judge(target: &Target, backend: &ProxyBackend) -> Option<Assessment> {
    let rows = target.proxy_window()?;
    let asked = |server: &ProxyServer| {
        let row = rows.get(&format!("{}/{}", backend.name, server.name));
        row.is_some_and(|row| row.request_count >= TOO_FEW)
    };
    let mut times: Vec<(f64, &ProxyServer)> = backend
        .servers
        .iter()
        // Without traffic a proxy's mean stands still.
        .filter(|server| asked(server))
        .filter_map(|server| Some((server.response_time_ms? as f64, server)))
        .collect();
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (slowest, server) = times.pop()?;
    let others = times.get(times.len() / 2)?.0;
    let row = target.info.id.row(backend.name.as_str());
    let it = Assessment::new("server_slow", Resource::ProxyBackends, row).hold(Duration::from_secs(5));
    if slowest < others * TIMES || slowest < others + MORE_MS {
        return Some(it.says(format!("its servers answer alike, the slowest in {}", span(slowest / 1e3))));
    }
    let says =
        format!("{} answers in {}, the others in {}", server.name, span(slowest / 1e3), span(others / 1e3));
    let name = SafeText::new(&format!("{}/{}", backend.name, server.name));
    let it = it.at_least(Severity::Warning).culprit(Culprit::Server { name, status: server.status.clone() });
    let it = it.says(says);
    Some(match drain(target, backend, server) {
        Some(remedy) => it.remedy(remedy),
        None => it,
    })
}
