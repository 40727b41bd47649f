//! Which metric means what: the presets, with what the config says laid over them. Pure.

use std::collections::HashMap;

use crate::model::{MetricSelector, Untold};

/// What a series tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meaning {
    /// Requests that wait in the proxy.
    Queue,
    /// Time that requests waited, added up, in units of so many seconds.
    WaitSum(f64),
    /// Requests whose wait was added up.
    WaitCount,
    InFlight,
    Requests,
    /// Requests sent to a server, those tried again included: what counts where answers are not counted.
    Attempts,
    Errors5xx,
    ConnectErrors,
    Retries,
    /// Time that answers took, added up, in units of so many milliseconds.
    AnswerSum(f64),
    AnswerCount,
    Members,
    Healthy,
    ServerUp,
    ServerInFlight,
    ServerRequests,
    ServerErrors5xx,
    ServerConnectErrors,
    ServerAnswerSum(f64),
    ServerAnswerCount,
}

/// Which metric means what.
#[derive(Debug, Default)]
pub(super) struct Mapping {
    /// The label that names a pool; without one there is a single pool.
    pub(super) backend: Option<String>,
    /// The label that names a server.
    pub(super) server: Option<String>,
    by_name: HashMap<String, Vec<(Meaning, MetricSelector)>>,
    /// What no metric tells, of a pool and of one server.
    pub(super) untold: (Untold, Untold),
    /// The metric told for a queue, for who looks for it in vain.
    pub(super) queue: Option<String>,
}

const ENVOY: &[(&str, &str)] = &[
    ("backend", "envoy_cluster_name"),
    ("server", "envoy_endpoint_address"),
    ("queue", "envoy_cluster_upstream_rq_pending_active"),
    ("in_flight", "envoy_cluster_upstream_rq_active"),
    // With those answered for want of a server, and once however often it was tried.
    ("requests", "envoy_cluster_upstream_rq_completed"),
    ("attempts", "envoy_cluster_upstream_rq_total"),
    ("errors_5xx", "envoy_cluster_upstream_rq_xx{envoy_response_code_class=\"5\"}"),
    ("connect_errors", "envoy_cluster_upstream_cx_connect_fail"),
    ("retries", "envoy_cluster_upstream_rq_retry"),
    ("response_ms", "envoy_cluster_upstream_rq_time"),
    ("members", "envoy_cluster_membership_total"),
    ("healthy", "envoy_cluster_membership_healthy"),
    // Only with `track_cluster_stats: {per_endpoint_stats: true}`.
    ("server_up", "envoy_cluster_endpoint_healthy"),
    ("server_in_flight", "envoy_cluster_endpoint_rq_active"),
    ("server_requests", "envoy_cluster_endpoint_rq_total"),
    ("server_errors_5xx", "envoy_cluster_endpoint_rq_error"),
    ("server_connect_errors", "envoy_cluster_endpoint_cx_connect_fail"),
];

const TRAEFIK: &[(&str, &str)] = &[
    ("backend", "service"),
    ("server", "url"),
    ("requests", "traefik_service_requests_total"),
    ("errors_5xx", "traefik_service_requests_total{code=\"5*\"}"),
    ("retries", "traefik_service_retries_total"),
    ("response_seconds", "traefik_service_request_duration_seconds"),
    // Traefik 2 only.
    ("in_flight", "traefik_service_open_connections"),
    ("server_up", "traefik_service_server_up"),
];

/// A site with a name is a `subroute`, what is inside is counted with it; a site for every name has its
/// `reverse_proxy` bare.
const CADDY: &[(&str, &str)] = &[
    ("backend", "server"),
    ("server", "upstream"),
    ("requests", "caddy_http_requests_total{handler=\"subroute|reverse_proxy\"}"),
    (
        "errors_5xx",
        "caddy_http_request_duration_seconds_count{handler=\"subroute|reverse_proxy\",code=\"5*\"}",
    ),
    ("in_flight", "caddy_http_requests_in_flight{handler=\"subroute|reverse_proxy\"}"),
    ("response_seconds", "caddy_http_request_duration_seconds{handler=\"subroute|reverse_proxy\"}"),
    ("server_up", "caddy_reverse_proxy_upstreams_healthy"),
];

impl Mapping {
    /// The mapping of a preset, if there is one, and of what the config says over it.
    pub(super) fn new(preset: Option<&str>, said: &[(String, String)]) -> Result<Self, String> {
        use Meaning as M;
        let preset = match preset {
            None => &[],
            Some("envoy") => ENVOY,
            Some("traefik") => TRAEFIK,
            Some("caddy") => CADDY,
            Some(other) => {
                return Err(format!("preset: there is no {other:?}; known are envoy, traefik, caddy"));
            }
        };
        let said = said.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let mut all: HashMap<&str, &str> = preset.iter().copied().collect();
        // What is said to be empty is meant not to be there.
        for (key, value) in said {
            all.insert(key, value);
        }
        let mut mapping = Self::default();
        for (key, value) in all.into_iter().filter(|(_, value)| !value.is_empty()) {
            mapping.add(key, value).map_err(|why| format!("metrics.{key}: {why}"))?;
        }
        if mapping.by_name.is_empty() {
            return Err(
                "prometheus needs a preset (envoy, traefik, caddy) or metrics = { requests = … }".into()
            );
        }
        let none =
            |wanted: Meaning| !mapping.by_name.values().flatten().any(|(meaning, _)| *meaning == wanted);
        let untold = |[requests, in_flight, errors_5xx, connect_errors, retries]: [bool; 5]| Untold {
            requests,
            in_flight,
            errors_5xx,
            connect_errors,
            retries,
        };
        let pool = [M::Requests, M::InFlight, M::Errors5xx, M::ConnectErrors, M::Retries].map(none);
        let server = [M::ServerRequests, M::ServerInFlight, M::ServerErrors5xx, M::ServerConnectErrors];
        let [requests, in_flight, errors_5xx, connect_errors] = server.map(none);
        mapping.untold = (untold(pool), untold([requests, in_flight, errors_5xx, connect_errors, true]));
        Ok(mapping)
    }

    fn add(&mut self, key: &str, value: &str) -> Result<(), String> {
        use Meaning as M;
        let one = match key {
            "backend" => {
                self.backend = Some(value.to_owned());
                return Ok(());
            }
            "server" => {
                self.server = Some(value.to_owned());
                return Ok(());
            }
            "wait_seconds" => return self.summary(value, M::WaitSum(1.0), M::WaitCount),
            "wait_ms" => return self.summary(value, M::WaitSum(1e-3), M::WaitCount),
            "response_seconds" => return self.summary(value, M::AnswerSum(1e3), M::AnswerCount),
            "response_ms" => return self.summary(value, M::AnswerSum(1.0), M::AnswerCount),
            "server_response_seconds" => {
                return self.summary(value, M::ServerAnswerSum(1e3), M::ServerAnswerCount);
            }
            "server_response_ms" => {
                return self.summary(value, M::ServerAnswerSum(1.0), M::ServerAnswerCount);
            }
            "queue" => {
                self.queue = Some(value.to_owned());
                M::Queue
            }
            "in_flight" => M::InFlight,
            "requests" => M::Requests,
            "attempts" => M::Attempts,
            "errors_5xx" => M::Errors5xx,
            "connect_errors" => M::ConnectErrors,
            "retries" => M::Retries,
            "members" => M::Members,
            "healthy" => M::Healthy,
            "server_up" => M::ServerUp,
            "server_in_flight" => M::ServerInFlight,
            "server_requests" => M::ServerRequests,
            "server_errors_5xx" => M::ServerErrors5xx,
            "server_connect_errors" => M::ServerConnectErrors,
            _ => return Err("there is no such key".into()),
        };
        self.put(one, MetricSelector::parse(value)?);
        Ok(())
    }

    fn summary(&mut self, value: &str, sum: Meaning, count: Meaning) -> Result<(), String> {
        let selector = MetricSelector::parse(value)?;
        self.put(sum, selector.part("_sum"));
        self.put(count, selector.part("_count"));
        Ok(())
    }

    fn put(&mut self, meaning: Meaning, selector: MetricSelector) {
        self.by_name.entry(selector.name.clone()).or_default().push((meaning, selector));
    }

    /// What a metric of this name can mean.
    pub(super) fn of(&self, name: &str) -> &[(Meaning, MetricSelector)] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{METRIC_KEYS, METRIC_LABELS, METRIC_PRESETS};

    #[test]
    fn every_preset_and_every_key_is_understood() {
        for preset in METRIC_PRESETS {
            Mapping::new(Some(preset), &[]).expect("a preset");
        }
        for key in METRIC_KEYS {
            let said = [((*key).to_owned(), "some_metric".to_owned())];
            Mapping::new(None, &said).expect(key);
        }
        for key in METRIC_LABELS {
            let said = [((*key).to_owned(), "label".to_owned())];
            assert!(Mapping::new(None, &said).is_err(), "{key} alone maps nothing");
        }
        let said = [("queue".to_owned(), String::new())];
        assert_eq!(Mapping::new(Some("envoy"), &said).expect("legal").queue, None);
    }
}
