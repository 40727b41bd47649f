//! Rule `servers_failing`: servers that are down behind a proxy, and the share of answers that are 5xx
//! (0 to 1). One row a backend. A server never checked is not known to be up, nor to be down.

use std::time::Duration;

use super::drain::drain;
use super::{Assessment, View};
use crate::model::words::{per_second, percent};
use crate::model::{Culprit, ProxyBackend, ProxyServer, Remedy, Resource, SafeText, ServerState, Severity};
use crate::store::{ProxyRates, Target};

/// Requests in the window below which a share of them says nothing.
const TOO_FEW: u64 = 20;
/// A server fails alone when its share of 5xx is so many times that of the others.
const ALONE: f64 = 5.0;

/// How every backend stands.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    view.store
        .proxies(view.now)
        .flat_map(|(target, sample)| sample.backends.iter().map(move |backend| judge(view, target, backend)))
        .collect()
}

fn judge(view: &View<'_>, target: &Target, backend: &ProxyBackend) -> Assessment {
    let row = target.info.id.row(backend.name.as_str());
    let rates = target.proxy_window().and_then(|rows| rows.get(backend.name.as_str()));
    let mut it = Assessment::new("servers_failing", Resource::ProxyBackends, row.clone());
    let mut says = Vec::new();
    if let Some(share) = rates.filter(|it| it.request_count >= TOO_FEW).and_then(|it| it.errors_5xx) {
        it = it.measured(share, view.limits(Resource::ProxyBackends, &row)).hold(Duration::from_secs(2));
        if it.kept > Severity::Ok {
            says.push(format!("{} of the answers are 5xx", percent(share)));
            it = point_at_worst(it, target, backend);
        }
    }
    if let (true, Some((healthy, members))) =
        (backend.servers.is_empty(), backend.healthy.zip(backend.members).filter(|(_, members)| *members > 0))
    {
        return by_number(it, says, healthy, members);
    }
    let wanted: Vec<&ProxyServer> =
        backend.servers.iter().filter(|server| server.state != ServerState::Maintenance).collect();
    let down: Vec<&ProxyServer> =
        wanted.iter().copied().filter(|server| server.state == ServerState::Down).collect();
    // A backend of which an operator took every server out is down too, and nobody's fault but his.
    if !down.is_empty() || !backend.up {
        let half = down.len() * 2 >= wanted.len() || !backend.up;
        it = it.at_least(if half { Severity::Critical } else { Severity::Warning }).hold(Duration::ZERO);
        says.insert(0, gone(backend, &down, wanted.len()));
        let latest = down.iter().min_by_key(|server| server.last_change.unwrap_or(u64::MAX));
        if let Some(latest) = latest {
            it = it.culprit(culprit(backend, latest)).proven(latest.last_change.unwrap_or(0) as f64);
            let advice =
                || Remedy::advice(format!("start {} again, or see why its check fails", latest.name));
            it.remedy = it.remedy.or_else(|| Some(advice()));
        }
    }
    if let Some(failing) = rates.and_then(|it| it.connect_errors).filter(|rate| *rate >= 0.1) {
        says.push(format!("{} connections/s fail", per_second(failing)));
    }
    if says.is_empty() {
        says.push(healthy(backend, wanted.len()));
    }
    let share = (!wanted.is_empty()).then(|| down.len() as f64 / wanted.len() as f64);
    let lost = rates.and_then(lost);
    it.used(share, None, lost).says(says.join("; "))
}

/// Servers that are told by number only.
fn by_number(it: Assessment, mut says: Vec<String>, healthy: u64, members: u64) -> Assessment {
    let down = members.saturating_sub(healthy);
    let it = match (down, down * 2 >= members) {
        (0, _) => it,
        (_, true) => it.at_least(Severity::Critical).hold(Duration::ZERO),
        (_, false) => it.at_least(Severity::Warning).hold(Duration::ZERO),
    };
    says.push(if down > 0 {
        format!("{down} of {members} servers are down or taken out of the balance")
    } else {
        format!("{healthy} of {members} up")
    });
    it.used(Some(down as f64 / members as f64), None, None).says(says.join("; "))
}

/// `web2 is down (L4CON Connection refused), 1 of 2`.
fn gone(backend: &ProxyBackend, down: &[&ProxyServer], of: usize) -> String {
    let Some(first) = down.first() else { return "no server takes requests: all are taken out".into() };
    let why = if first.check.is_empty() { String::new() } else { format!(" ({})", first.check) };
    let who = match down {
        [one] => format!("{} is down{why}", one.name),
        [one, other] => format!("{} and {} are down{why}", one.name, other.name),
        _ => format!("{} and {} more are down{why}", first.name, down.len() - 1),
    };
    let rest = if backend.up { String::new() } else { ": nobody is left".into() };
    format!("{who}, {} of {of}{rest}", down.len())
}

fn healthy(backend: &ProxyBackend, of: usize) -> String {
    let up = backend.servers.iter().filter(|server| server.state == ServerState::Up).count();
    let unchecked = backend.servers.iter().filter(|server| server.state == ServerState::Unchecked).count();
    if unchecked > 0 {
        format!("{up} of {of} up, {unchecked} never checked")
    } else {
        format!("{up} of {of} up")
    }
}

/// The server with the most 5xx of its own; none when the proxy answered by itself.
fn point_at_worst(it: Assessment, target: &Target, backend: &ProxyBackend) -> Assessment {
    let rows = target.proxy_window();
    let bad = |server: &&ProxyServer| {
        let rates = rows.and_then(|rows| rows.get(&format!("{}/{}", backend.name, server.name)));
        rates.and_then(lost).unwrap_or(0)
    };
    let Some(worst) = backend.servers.iter().max_by_key(bad).filter(|worst| bad(worst) > 0) else {
        return it;
    };
    let it = it.culprit(culprit(backend, worst));
    let asked = |server: &ProxyServer| {
        let row = rows.and_then(|rows| rows.get(&format!("{}/{}", backend.name, server.name)));
        row.map_or(0, |row| row.request_count)
    };
    let others = || backend.servers.iter().filter(|server| server.name != worst.name);
    let (lost, of): (u64, u64) =
        others().fold((0, 0), |sum, server| (sum.0 + bad(&server), sum.1 + asked(server)));
    // Where the others fail too it is the page or what lies behind it, and fewer servers would not help.
    let share = |part: u64, of: u64| part as f64 / of.max(1) as f64;
    let alone = of >= TOO_FEW && share(bad(&worst), asked(worst)) > share(lost, of) * ALONE;
    match alone.then(|| drain(target, backend, worst)).flatten() {
        Some(remedy) => it.remedy(remedy),
        None => it,
    }
}

fn culprit(backend: &ProxyBackend, server: &ProxyServer) -> Culprit {
    let name = SafeText::new(&format!("{}/{}", backend.name, server.name));
    Culprit::Server { name, status: server.status.clone() }
}

/// Answers with 5xx in the window.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count, rounded")]
fn lost(rates: &ProxyRates) -> Option<u64> {
    rates.errors_5xx.map(|share| (share * rates.request_count as f64).round() as u64)
}
