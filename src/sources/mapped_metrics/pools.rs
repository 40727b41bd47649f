//! A page of metrics, added up into pools of servers. Pure.

use std::collections::BTreeMap;

use super::mapping::{Mapping, Meaning};
use super::means::Means;
use crate::model::{
    Missing, ProxyBackend, ProxySample, ProxyServer, SafeText, ServerState, Untold, WaitTotal,
};
use crate::sources::prometheus_text::{Line, Metric as _, lines};

/// Most pools and servers kept; the rest is counted.
const MOST_POOLS: usize = 500;
const MOST_SERVERS: usize = 5_000;

#[derive(Debug, Default)]
struct Pool {
    queue: Option<f64>,
    wait: (Option<f64>, Option<f64>),
    answer: (Option<f64>, Option<f64>),
    in_flight: Option<f64>,
    requests: f64,
    attempts: f64,
    errors_5xx: f64,
    connect_errors: f64,
    retries: f64,
    members: Option<f64>,
    healthy: Option<f64>,
    servers: BTreeMap<String, One>,
}

#[derive(Debug, Default)]
struct One {
    up: Option<bool>,
    answer: (Option<f64>, Option<f64>),
    in_flight: Option<f64>,
    requests: f64,
    errors_5xx: f64,
    connect_errors: f64,
}

/// Adds a page up; `None` when it holds none of the metrics.
pub(super) fn sample(page: &str, mapping: &Mapping, means: &mut Means) -> Option<ProxySample> {
    let mut read = Reading::default();
    for line in lines(page, |_| true) {
        for (meaning, selector) in mapping.of(line.name) {
            if !line.value.is_nan() && selector.takes(|label| line.label(label)) {
                read.add(*meaning, &line, mapping);
            }
        }
    }
    if read.pools.is_empty() && read.loose.servers.is_empty() {
        return None;
    }
    Some(read.finish(mapping, means))
}

#[derive(Debug, Default)]
struct Reading {
    pools: BTreeMap<String, Pool>,
    /// Servers whose series name no pool.
    loose: Pool,
    servers: usize,
    left_out: u64,
}

impl Reading {
    fn add(&mut self, meaning: Meaning, line: &Line<'_>, mapping: &Mapping) {
        use Meaning as M;
        let server = matches!(
            meaning,
            M::ServerUp
                | M::ServerInFlight
                | M::ServerRequests
                | M::ServerErrors5xx
                | M::ServerConnectErrors
                | M::ServerAnswerSum(_)
                | M::ServerAnswerCount
        );
        let name = match &mapping.backend {
            None => Some("all".into()),
            Some(label) => line.label(label),
        };
        let pool = match &name {
            None if server => &mut self.loose,
            None => return,
            Some(name) => {
                if !self.pools.contains_key(&**name) && self.pools.len() >= MOST_POOLS {
                    self.left_out += 1;
                    return;
                }
                self.pools.entry(name.to_string()).or_default()
            }
        };
        if server {
            let Some(name) = mapping.server.as_ref().and_then(|label| line.label(label)) else { return };
            if !pool.servers.contains_key(&*name) {
                if self.servers >= MOST_SERVERS {
                    self.left_out += 1;
                    return;
                }
                self.servers += 1;
            }
            pool.servers.entry(name.into_owned()).or_default().add(meaning, line.value);
        } else {
            pool.add(meaning, line.value);
        }
    }

    fn finish(mut self, mapping: &Mapping, means: &mut Means) -> ProxySample {
        let loose = std::mem::take(&mut self.loose.servers);
        if !loose.is_empty() {
            // Servers that say of no pool whose they are belong to the only one there is.
            let only = if self.pools.len() == 1 { self.pools.values_mut().next() } else { None };
            match only {
                Some(pool) => pool.servers.extend(loose),
                None => self.pools.entry("all".into()).or_default().servers.extend(loose),
            }
        }
        let mut missing = Vec::new();
        let blind = self.pools.values().all(|pool| pool.queue.is_none() && pool.wait.1.is_none());
        match &mapping.queue {
            Some(metric) if blind => {
                missing.push(Missing::new("queue", &format!("there is no {metric} on the page")));
            }
            None if blind => {
                missing.push(Missing::new("queue", "this proxy has none, or none of its metrics tells it"));
            }
            _ => {}
        }
        if self.left_out > 0 {
            let why = format!("{} series of pools or servers beyond those kept", self.left_out);
            missing.push(Missing::new("a part of the page", &why));
        }
        let backends = self.pools.iter().map(|(name, pool)| backend(name, pool, mapping, means)).collect();
        means.turn();
        ProxySample { backends, missing, ..ProxySample::default() }
    }
}

impl Pool {
    fn add(&mut self, meaning: Meaning, value: f64) {
        use Meaning as M;
        match meaning {
            M::Queue => more(&mut self.queue, value),
            M::WaitSum(unit) => more(&mut self.wait.0, value * unit),
            M::WaitCount => more(&mut self.wait.1, value),
            M::AnswerSum(unit) => more(&mut self.answer.0, value * unit),
            M::AnswerCount => more(&mut self.answer.1, value),
            M::InFlight => more(&mut self.in_flight, value),
            M::Requests => self.requests += value,
            M::Attempts => self.attempts += value,
            M::Errors5xx => self.errors_5xx += value,
            M::ConnectErrors => self.connect_errors += value,
            M::Retries => self.retries += value,
            M::Members => more(&mut self.members, value),
            M::Healthy => more(&mut self.healthy, value),
            _ => {}
        }
    }
}

impl One {
    fn add(&mut self, meaning: Meaning, value: f64) {
        use Meaning as M;
        match meaning {
            // Several looks at one server: it is up when all say so.
            M::ServerUp => self.up = Some(self.up.unwrap_or(true) && value > 0.0),
            M::ServerInFlight => more(&mut self.in_flight, value),
            M::ServerRequests => self.requests += value,
            M::ServerErrors5xx => self.errors_5xx += value,
            M::ServerConnectErrors => self.connect_errors += value,
            M::ServerAnswerSum(unit) => more(&mut self.answer.0, value * unit),
            M::ServerAnswerCount => more(&mut self.answer.1, value),
            _ => {}
        }
    }
}

fn more(sum: &mut Option<f64>, value: f64) {
    *sum = Some(sum.unwrap_or(0.0) + value);
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded in the line above")]
fn count(value: f64) -> u64 {
    let value = value.round().clamp(0.0, 1e18);
    value as u64
}

fn backend(name: &str, pool: &Pool, mapping: &Mapping, means: &mut Means) -> ProxyBackend {
    let servers: Vec<ProxyServer> =
        pool.servers.iter().map(|(at, one)| server(name, at, one, mapping, means)).collect();
    let takes = |server: &ProxyServer| server.state != ServerState::Down;
    ProxyBackend {
        name: SafeText::new(name),
        up: if servers.is_empty() {
            // A pool without members was never filled: that is no outage.
            !(pool.healthy == Some(0.0) && pool.members.is_some_and(|members| members > 0.0))
        } else {
            servers.iter().any(takes)
        },
        queue: pool.queue.map_or(0, count),
        sees_queue: pool.queue.is_some(),
        waits: pool.wait.0.zip(pool.wait.1).map(|(seconds, of)| WaitTotal { seconds, requests: count(of) }),
        // Plain connections are never completed requests.
        requests: count(if pool.requests > 0.0 { pool.requests } else { pool.attempts }),
        errors_5xx: count(pool.errors_5xx),
        connect_errors: count(pool.connect_errors),
        retries: count(pool.retries),
        in_flight: pool.in_flight.map_or(0, count),
        logged: None,
        response_time_ms: answer(name, None, pool.answer, means),
        members: pool.members.map(count),
        healthy: pool.healthy.map(count),
        untold: Untold { in_flight: pool.in_flight.is_none(), ..mapping.untold.0 },
        servers,
    }
}

fn server(pool: &str, name: &str, one: &One, mapping: &Mapping, means: &mut Means) -> ProxyServer {
    let (state, status) = match one.up {
        Some(true) => (ServerState::Up, "UP"),
        Some(false) => (ServerState::Down, "DOWN"),
        None => (ServerState::Unchecked, "no check"),
    };
    ProxyServer {
        name: SafeText::new(name),
        address: Some(SafeText::new(address(name))),
        state,
        status: status.into(),
        in_flight: one.in_flight.map_or(0, count),
        requests: count(one.requests),
        errors_5xx: count(one.errors_5xx),
        connect_errors: count(one.connect_errors),
        response_time_ms: answer(pool, Some(name), one.answer, means),
        untold: Untold { in_flight: one.in_flight.is_none(), ..mapping.untold.1 },
        ..ProxyServer::default()
    }
}

fn answer(
    pool: &str,
    server: Option<&str>,
    (sum, of): (Option<f64>, Option<f64>),
    means: &mut Means,
) -> Option<u64> {
    means.mean(pool, server, sum?, of?)
}

/// `host:port` of an address or a URL.
fn address(name: &str) -> &str {
    let rest = name.split_once("://").map_or(name, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/prometheus/", $name))
        };
    }

    #[test]
    fn torn_pages_are_read_or_refused() {
        for (preset, page) in [
            ("caddy", fixture!("caddy-2.6-1.txt")),
            ("envoy", fixture!("envoy-1.40-1.txt")),
            ("traefik", fixture!("traefik-3.7-1.txt")),
        ] {
            let mapping = Mapping::new(Some(preset), &[]).expect("a preset");
            let mut means = Means::default();
            assert!(sample(page, &mapping, &mut means).is_some(), "{preset}");
            each_torn_text(page, |torn| drop(sample(torn, &mapping, &mut means)));
        }
    }
}
