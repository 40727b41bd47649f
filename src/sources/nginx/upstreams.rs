//! What a log told of the servers behind nginx, added up. Pure.

use std::collections::{BTreeMap, VecDeque};

use super::line::{Line, Read, Try, parse};
use crate::model::{ProxyBackend, ProxyServer, SafeText, ServerState, Untold};

/// Most upstreams and servers kept; those behind are counted.
const MOST_UPSTREAMS: usize = 200;
const MOST_SERVERS: usize = 2_000;
/// Polls over which times are averaged, and after which a silent server is forgotten.
const AVERAGED: usize = 10;
const FORGOTTEN: u32 = 900;

/// Every upstream a log has told of.
#[derive(Debug, Default)]
pub(super) struct Upstreams {
    known: BTreeMap<String, Upstream>,
    servers: usize,
    /// Lines of another format since the last poll.
    pub(super) foreign: u64,
    /// Requests of upstreams or servers over the most, since the last poll.
    pub(super) left_out: u64,
}

#[derive(Debug, Default)]
struct Upstream {
    requests: u64,
    errors_5xx: u64,
    connect_errors: u64,
    retries: u64,
    servers: BTreeMap<String, Server>,
}

#[derive(Debug, Default)]
struct Server {
    requests: u64,
    errors_5xx: u64,
    connect_errors: u64,
    retries: u64,
    /// Count and seconds of the present poll, then of those before.
    connects: Times,
    headers: Times,
    silent: u32,
}

/// Times of the last polls.
#[derive(Debug, Default)]
struct Times {
    now: (u64, f64),
    before: VecDeque<(u64, f64)>,
}

impl Times {
    fn add(&mut self, seconds: Option<f64>) {
        if let Some(seconds) = seconds {
            self.now = (self.now.0 + 1, self.now.1 + seconds);
        }
    }

    fn turn(&mut self) {
        self.before.push_back(std::mem::take(&mut self.now));
        if self.before.len() > AVERAGED {
            self.before.pop_front();
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded where it was read")]
    fn mean_ms(&self) -> Option<u64> {
        let (count, seconds) = self.before.iter().fold((0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        (count > 0).then(|| (seconds / count as f64 * 1e3).round() as u64)
    }
}

impl Upstreams {
    /// Adds the lines of one poll.
    pub(super) fn add(&mut self, lines: &str) {
        (self.foreign, self.left_out) = (0, 0);
        for line in lines.lines() {
            match parse(line) {
                Read::Passed(line) => self.request(&line),
                Read::Own => {}
                Read::Foreign => self.foreign += 1,
            }
        }
        for upstream in self.known.values_mut() {
            for server in upstream.servers.values_mut() {
                server.silent =
                    if server.headers.now.0 + server.connects.now.0 > 0 { 0 } else { server.silent + 1 };
                server.connects.turn();
                server.headers.turn();
            }
            upstream.servers.retain(|_, server| server.silent < FORGOTTEN);
        }
        self.servers = self.known.values().map(|upstream| upstream.servers.len()).sum();
    }

    fn request(&mut self, line: &Line<'_>) {
        if !self.known.contains_key(line.upstream) && self.known.len() >= MOST_UPSTREAMS {
            self.left_out += 1;
            return;
        }
        let upstream = self.known.entry(line.upstream.to_owned()).or_default();
        upstream.requests += 1;
        upstream.errors_5xx += u64::from(line.status >= 500);
        upstream.retries += (line.tries.len() as u64).saturating_sub(1);
        for (at, it) in line.tries.iter().enumerate() {
            // Where no server was left, nginx writes the upstream's name in the place of an address.
            if it.address == line.upstream && it.connect.is_none() {
                continue;
            }
            if !upstream.servers.contains_key(it.address) {
                if self.servers >= MOST_SERVERS {
                    self.left_out += 1;
                    continue;
                }
                self.servers += 1;
            }
            let refused = is_refused(it);
            upstream.connect_errors += u64::from(refused);
            let server = upstream.servers.entry(it.address.to_owned()).or_default();
            server.requests += 1;
            server.errors_5xx += u64::from(it.status.is_some_and(|status| status >= 500));
            server.connect_errors += u64::from(refused);
            server.retries += u64::from(at + 1 < line.tries.len());
            server.connects.add(it.connect);
            server.headers.add(it.header);
        }
    }

    /// The backends, as the proxy question wants them.
    pub(super) fn backends(&self) -> Vec<ProxyBackend> {
        let each = self.known.iter().map(|(name, upstream)| ProxyBackend {
            name: SafeText::new(name),
            up: true,
            requests: upstream.requests,
            errors_5xx: upstream.errors_5xx,
            connect_errors: upstream.connect_errors,
            retries: upstream.retries,
            untold: UNTOLD,
            servers: upstream.servers.iter().map(|(address, it)| server(address, it)).collect(),
            ..ProxyBackend::default()
        });
        each.collect()
    }
}

/// A log tells what has ended.
const UNTOLD: Untold =
    Untold { requests: false, in_flight: true, errors_5xx: false, connect_errors: false, retries: false };

/// Whether the server was not even reached.
fn is_refused(it: &Try<'_>) -> bool {
    it.connect.is_none() && it.header.is_none() && matches!(it.status, Some(502 | 504))
}

fn server(address: &str, it: &Server) -> ProxyServer {
    ProxyServer {
        name: SafeText::new(address),
        address: Some(SafeText::new(address)),
        // nginx finds out by trying.
        state: ServerState::Unchecked,
        status: "no check".into(),
        connect_time_ms: it.connects.mean_ms(),
        response_time_ms: it.headers.mean_ms(),
        requests: it.requests,
        errors_5xx: it.errors_5xx,
        connect_errors: it.connect_errors,
        retries: it.retries,
        untold: UNTOLD,
        ..ProxyServer::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_counted_where_they_went_and_foreign_lines_are_told() {
        let mut upstreams = Upstreams::default();
        upstreams.add(
            "upstream=app\taddr=10.0.0.1:80\tstatus=200\tustatus=200\tuct=0.000\tuht=0.030\n\
             upstream=app\taddr=10.0.0.2:80, 10.0.0.1:80\tstatus=200\tustatus=502, 200\tuct=-, 0.002\tuht=-, 0.050\n\
             upstream=app\taddr=app\tstatus=502\tustatus=502\tuct=-\tuht=-\n\
             127.0.0.1 - - something else\n",
        );
        let app = upstreams.backends().remove(0);
        assert_eq!((app.requests, app.errors_5xx, app.connect_errors, app.retries), (3, 1, 1, 1));
        let shape: Vec<_> = app
            .servers
            .iter()
            .map(|it| (it.name.as_str(), it.requests, it.connect_errors, it.retries, it.response_time_ms))
            .collect();
        assert_eq!(shape, [("10.0.0.1:80", 2, 0, 0, Some(40)), ("10.0.0.2:80", 1, 1, 1, None)]);
        assert_eq!(upstreams.foreign, 1);
        for _ in 0..AVERAGED {
            upstreams.add("");
        }
        assert_eq!(upstreams.backends()[0].servers[0].response_time_ms, None, "nothing was asked since");
    }
}
