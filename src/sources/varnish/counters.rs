//! Varnish's counters as a sample. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::dial::VarnishBackend;
use crate::model::{
    Missing, ProxyBackend, ProxyCache, ProxyProcess, ProxySample, ProxyServer, SafeText, ServerState, Untold,
};

/// What all its backends are called together: Varnish's own name for them changes with each reload.
pub(super) const BACKENDS: &str = "backends";

/// Counters by name.
pub(super) struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// Reads what `varnishstat -j` prints, of 6.5 and later or of older ones; `None` when it is no such thing.
    pub(super) fn read(text: &str) -> Option<Self> {
        let Value::Object(mut all) = serde_json::from_str(text).ok()? else { return None };
        let counters = match all.remove("counters") {
            Some(Value::Object(counters)) => counters,
            _ => all,
        };
        let value = |(name, it): (String, Value)| Some((name, it.get("value")?.as_u64()?));
        let counters: BTreeMap<String, u64> = counters.into_iter().filter_map(value).collect();
        counters.contains_key("MAIN.uptime").then_some(Self(counters))
    }

    fn get(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }

    fn main(&self, name: &str) -> u64 {
        self.get(&format!("MAIN.{name}")).unwrap_or(0)
    }

    /// The backends that have counters, as `vcl.name`.
    fn backends(&self) -> impl Iterator<Item = &str> {
        self.0.keys().filter_map(|name| name.strip_prefix("VBE.")?.strip_suffix(".req"))
    }
}

/// What is known beside the counters.
#[derive(Default)]
pub(super) struct Known {
    /// The backends of the active program; `None` where its management does not answer.
    pub(super) backends: Option<Vec<VarnishBackend>>,
    /// Where they are.
    pub(super) addresses: BTreeMap<String, String>,
    /// `7.1.1`.
    pub(super) version: SafeText,
    /// Threads it may have in each of its pools.
    pub(super) pool_threads: Option<u64>,
    /// Where it takes requests.
    pub(super) listens: Vec<SafeText>,
}

/// The sample that counters make with what else is known.
pub(super) fn sample(counters: &Counters, known: &Known) -> ProxySample {
    let mut servers: Vec<ProxyServer> = match &known.backends {
        Some(backends) => backends.iter().map(|backend| told(backend, known)).collect(),
        None => counters.backends().map(silent).collect(),
    };
    for (at, server) in servers.iter_mut().enumerate() {
        let name = match &known.backends {
            Some(backends) => format!("{}.{}", backends[at].vcl, backends[at].name),
            None => server.name.to_string(),
        };
        let of = |counter: &str| counters.get(&format!("VBE.{name}.{counter}")).unwrap_or(0);
        server.requests = of("req");
        server.in_flight = of("conn");
        server.connect_errors = of("fail").saturating_add(of("busy"));
        server.untold = Untold { errors_5xx: true, retries: true, ..Untold::default() };
    }
    let takes = |it: &ProxyServer| matches!(it.state, ServerState::Up | ServerState::Unchecked);
    let backend = ProxyBackend {
        name: BACKENDS.into(),
        up: servers.iter().any(takes),
        queue: counters.main("thread_queue_len"),
        requests: counters.main("client_req"),
        // What could not be fetched is answered with 503; what a backend itself answers is not counted.
        errors_5xx: counters.main("fetch_failed"),
        connect_errors: counters.main("backend_fail"),
        retries: counters.main("backend_retry"),
        in_flight: servers.iter().map(|server| server.in_flight).fold(0, u64::saturating_add),
        sees_queue: true,
        servers,
        ..ProxyBackend::default()
    };
    let started = counters.get("MGT.child_start").unwrap_or(0);
    let live = counters.0.iter().filter(|(name, _)| {
        name.strip_prefix("MEMPOOL.sess").is_some_and(|rest| rest.split('.').nth(1) == Some("live"))
    });
    ProxySample {
        process: Some(ProxyProcess {
            version: known.version.clone(),
            // The child is what counts: its counters begin again with it.
            pid: u32::try_from(started).unwrap_or(u32::MAX),
            level: known.backends.is_some().then(|| "admin".into()),
            listens: known.listens.clone(),
            uptime: counters.main("uptime"),
            connections: live.map(|(_, count)| *count).fold(0, u64::saturating_add),
            dropped: Some(counters.main("sess_dropped").saturating_add(counters.main("req_dropped"))),
            threads: Some(counters.main("threads")),
            max_threads: known.pool_threads.map(|each| each.saturating_mul(counters.main("pools"))),
            ..ProxyProcess::default()
        }),
        cache: Some(ProxyCache {
            hits: counters.main("cache_hit"),
            misses: counters.main("cache_miss"),
            passes: counters.main("s_pass"),
            objects: counters.main("n_object"),
            evicted: counters.main("n_lru_nuked"),
            parked: counters.main("busy_sleep").saturating_sub(counters.main("busy_wakeup")),
        }),
        backends: vec![backend],
        missing: vec![Missing::new(
            "5xx of the backends",
            "Varnish counts what it could not fetch, not the status of what it fetched",
        )],
    }
}

fn told(backend: &VarnishBackend, known: &Known) -> ProxyServer {
    let (good, window) = backend.probes;
    let state = match (backend.admin.as_str(), window) {
        ("sick", _) => ServerState::Drain,
        ("healthy", 1..) => ServerState::Up,
        (_, 0) => ServerState::Unchecked,
        _ if backend.healthy => ServerState::Up,
        _ => ServerState::Down,
    };
    ProxyServer {
        name: SafeText::new(&backend.name),
        address: known.addresses.get(&backend.name).map(|place| SafeText::new(place)),
        state,
        status: SafeText::new(&backend.told()),
        check: if window > 0 {
            SafeText::new(&format!("{good} of {window} probes good"))
        } else {
            SafeText::default()
        },
        ..ProxyServer::default()
    }
}

/// A backend of which only the counters tell.
fn silent(name: &str) -> ProxyServer {
    ProxyServer { name: SafeText::new(name), status: "not told".into(), ..ProxyServer::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    #[test]
    fn counters_are_read_as_old_and_new_versions_print_them() {
        let counter = |value: u64| format!("{{\"description\":\"\",\"flag\":\"g\",\"value\":{value}}}");
        let all = format!(
            "\"MAIN.uptime\":{},\"MAIN.threads\":{},\"MAIN.pools\":{},\"VBE.boot.web1.req\":{}",
            counter(7),
            counter(9),
            counter(2),
            counter(40)
        );
        for text in
            [format!("{{\"timestamp\":\"x\",{all}}}"), format!("{{\"version\":1,\"counters\":{{{all}}}}}")]
        {
            let counters = Counters::read(&text).expect("it is varnishstat's");
            let known = Known { pool_threads: Some(100), ..Known::default() };
            let it = sample(&counters, &known);
            let process = it.process.expect("it tells of itself");
            assert_eq!((process.uptime, process.threads, process.max_threads), (7, Some(9), Some(200)));
            assert_eq!(
                (it.backends[0].servers[0].name.as_str(), it.backends[0].servers[0].requests),
                ("boot.web1", 40)
            );
            assert_eq!(process.level, None, "its management did not answer");
        }
        assert!(Counters::read("{}").is_none());
    }

    #[test]
    fn torn_counters_are_read_or_refused() {
        let text = r#"{"version":1,"counters":{"MAIN.uptime":{"value":7},"MAIN.threads":{"value":9},"MAIN.pools":{"value":2},
            "MEMPOOL.sess0.live":{"value":3},"MEMPOOL.sess1.live":{"value":4},"MAIN.busy_sleep":{"value":1},
            "VBE.boot.web1.req":{"value":40},"VBE.boot.web1.conn":{"value":2},"VBE.boot.web2.conn":{"value":2},
            "VBE.boot.web2.req":{"value":4}}}"#;
        each_torn_text(text, |torn| {
            let Some(counters) = Counters::read(torn) else { return };
            sample(&counters, &Known { pool_threads: Some(u64::MAX), ..Known::default() });
        });
    }
}
