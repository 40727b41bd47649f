//! The three proxies, each before two servers: an app, and a port on which nobody listens.

use std::path::PathBuf;
use std::process::Command;
use std::thread::JoinHandle;

use rustix::process::Signal;
use warroom::config::TargetSpec;
use warroom::lab::{Folder, Process, free_port};
use warroom::model::TargetId;

use super::app::get;
use crate::incidents::Watcher;

pub(super) struct Front {
    folder: Folder,
    _process: Process,
    preset: &'static str,
    metrics: u16,
    pub(super) port: u16,
    /// What it calls the pool of the two.
    pub(super) pool: &'static str,
    /// Requests that it lets through at once, where it has a queue.
    pub(super) limit: Option<u64>,
    pub(super) tells_in_flight: bool,
    /// Traefik counts with a service what a server of it was sent, and not what it answered for want of one.
    pub(super) counts_its_own: bool,
    /// Caddy looks at its own servers every ten seconds.
    pub(super) slow: bool,
}

impl Front {
    /// With two connections to the app at most: what is beyond them waits in Envoy.
    pub(super) fn envoy(app: u16) -> Self {
        let (port, metrics, dead) = (free_port().unwrap(), free_port().unwrap(), free_port().unwrap());
        let text = [("@ADMIN", metrics), ("@IN", port), ("@APP", app), ("@DEAD", dead)]
            .iter()
            .fold(ENVOY.to_owned(), |text, (name, port)| text.replace(name, &port.to_string()));
        let args = ["-c", "envoy.yaml", "--concurrency", "1", "--disable-hot-restart", "-l", "warn"];
        let args = args.map(ToOwned::to_owned);
        let it = Self::start("envoy", &[("envoy.yaml", text)], &args, port, metrics);
        Self { pool: "app", limit: Some(2), tells_in_flight: true, counts_its_own: true, ..it }
    }

    pub(super) fn traefik(app: u16) -> Self {
        let (port, metrics, dead) = (free_port().unwrap(), free_port().unwrap(), free_port().unwrap());
        let head = format!(
            "entryPoints: {{web: {{address: '127.0.0.1:{port}'}}, metrics: {{address: '127.0.0.1:{metrics}'}}}}\n\
             metrics: {{prometheus: {{entryPoint: metrics}}}}\n\
             providers: {{file: {{filename: routes.yml, watch: false}}}}\n\
             global: {{checkNewVersion: false, sendAnonymousUsage: false}}\n"
        );
        let routes = format!(
            "http:\n  routers: {{all: {{rule: 'PathPrefix(`/`)', service: app, entryPoints: [web]}}}}\n  \
             services: {{app: {{loadBalancer: {{healthCheck: {{path: /health, interval: 200ms, timeout: 10s}}, \
             servers: [{{url: 'http://127.0.0.1:{app}'}}, {{url: 'http://127.0.0.1:{dead}'}}]}}}}}}\n"
        );
        let files = [("traefik.yml", head), ("routes.yml", routes)];
        let it = Self::start("traefik", &files, &["--configFile=traefik.yml".to_owned()], port, metrics);
        Self { pool: "app@file", ..it }
    }

    /// A site with a name, and one for every other name: Caddy counts them by different handlers.
    pub(super) fn caddy(app: u16) -> Self {
        let (port, metrics, dead) = (free_port().unwrap(), free_port().unwrap(), free_port().unwrap());
        let proxy = format!(
            "    bind 127.0.0.1\n    reverse_proxy 127.0.0.1:{app} 127.0.0.1:{dead} {{\n        health_uri /health\n        \
             health_interval 200ms\n        health_timeout 10s\n    }}\n"
        );
        let text = format!(
            "{{\n    admin 127.0.0.1:{metrics}\n    metrics\n    auto_https off\n    persist_config off\n}}\n\
             http://localhost:{port} {{\n{proxy}}}\nhttp://:{port} {{\n{proxy}}}\n"
        );
        let args = ["run", "--config", "Caddyfile", "--adapter", "caddyfile"].map(ToOwned::to_owned);
        let it = Self::start("caddy", &[("Caddyfile", text)], &args, port, metrics);
        Self { pool: "srv0", tells_in_flight: true, counts_its_own: true, slow: true, ..it }
    }

    fn start(name: &'static str, files: &[(&str, String)], args: &[String], port: u16, metrics: u16) -> Self {
        let folder = Folder::temporary(name).unwrap();
        for (file, text) in files {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        let all = std::env::var("WARROOM_TEST_PROXIES").unwrap();
        let mut command = Command::new(PathBuf::from(all).join(name).join("server"));
        command.args(args).current_dir(folder.path());
        for home in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            command.env(home, folder.path());
        }
        let log = folder.path().join("log");
        let mut process = Process::start(name, &mut command, &log, Signal::TERM).unwrap();
        // Until both are checked some are sent to nobody.
        process
            .wait_ready(|| {
                std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
                    && (0..40).all(|_| get(port, "/") == 200)
            })
            .unwrap();
        Self {
            folder,
            _process: process,
            preset: name,
            metrics,
            port,
            pool: "",
            limit: None,
            tells_in_flight: false,
            counts_its_own: false,
            slow: false,
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.metrics)
    }

    pub(super) fn spec(&self) -> TargetSpec {
        let spec = TargetSpec::new(TargetId::parse("edge").unwrap(), "prometheus").with_url(&self.url());
        TargetSpec { preset: Some(self.preset.into()), ..spec }
    }

    /// A console that looks at it as a config tells it to.
    pub(super) fn watcher(&self) -> Watcher {
        let config = self.folder.path().join("w.toml");
        let (url, preset) = (self.url(), self.preset);
        let text = format!(
            "[[target]]\nid = \"edge\"\nkind = \"prometheus\"\nurl = \"{url}\"\npreset = \"{preset}\"\n"
        );
        std::fs::write(&config, text).unwrap();
        Watcher::on(&config)
    }

    /// A request that is answered when the app is released.
    pub(super) fn hang(&self) -> JoinHandle<u16> {
        let port = self.port;
        std::thread::spawn(move || get(port, "/hang"))
    }
}

const ENVOY: &str = r#"
stats_flush_interval: 0.1s
admin: {address: {socket_address: {address: 127.0.0.1, port_value: @ADMIN}}}
static_resources:
  listeners:
  - name: in
    address: {socket_address: {address: 127.0.0.1, port_value: @IN}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          route_config: {virtual_hosts: [{name: all, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: app}}]}]}
          http_filters: [{name: envoy.filters.http.router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]
  clusters:
  - name: app
    connect_timeout: 10s
    track_cluster_stats: {per_endpoint_stats: true}
    circuit_breakers: {thresholds: [{max_connections: 2}]}
    health_checks: [{timeout: 10s, interval: 0.2s, no_traffic_interval: 0.2s, unhealthy_threshold: 1, healthy_threshold: 1, http_health_check: {path: /health}}]
    common_lb_config: {healthy_panic_threshold: {value: 0}}
    load_assignment: {cluster_name: app, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: @APP}}}}, {endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: @DEAD}}}}]}]}
"#;
