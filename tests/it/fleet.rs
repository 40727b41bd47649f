//! Many machines behind a real Prometheus.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "a test waits by the clock until it gives up")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use warroom::config::TargetSpec;
use warroom::lab::{Folder, free_port};
use warroom::model::{PollError, PollErrorKind, Sample, TargetId, Timestamp};
use warroom::shell::world;
use warroom::sources::{KINDS, Source};
use warroom::store::{Store, TargetState};

use super::node_exporter::Exporter;

/// A Prometheus takes seconds to start, and many on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A Prometheus that scrapes this machine under three names, one of them behind a port where nobody listens.
struct Prometheus {
    child: Child,
    port: u16,
    _data: Folder,
}

impl Prometheus {
    fn start(exporter: u16) -> Self {
        let folder = Folder::temporary("prometheus").unwrap();
        let port = free_port().unwrap();
        let nobody = free_port().unwrap();
        let config = format!(
            "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n- job_name: node\n  \
             static_configs:\n  - targets: ['127.0.0.1:{exporter}', 'localhost:{exporter}', '127.0.0.2:{nobody}']\n    \
             labels: {{role: web}}\n- job_name: other\n  static_configs:\n  - targets: ['127.0.0.1:{port}']\n"
        );
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|why| panic!("apt-get install prometheus: {why}"));
        let prometheus = Self { child, port, _data: folder };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < deadline, "Prometheus never listened");
            std::thread::sleep(Duration::from_millis(20));
        }
        prometheus
    }

    fn spec(&self, select: Option<&str>) -> TargetSpec {
        let mut spec = TargetSpec::new(TargetId::parse("fleet").unwrap(), "prometheus_hosts")
            .with_url(&format!("http://127.0.0.1:{}", self.port));
        spec.select = select.map(str::to_owned);
        spec.group = Some("role".into());
        spec
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn source(spec: &TargetSpec) -> Box<dyn Source> {
    let kind = KINDS.iter().find(|kind| kind.name == "prometheus_hosts").unwrap();
    (kind.build)(spec).unwrap()
}

async fn rows(source: &mut Box<dyn Source>) -> BTreeMap<String, Result<Sample, PollError>> {
    source.poll().await.into_iter().map(|reading| (reading.target.to_string(), reading.sample)).collect()
}

#[tokio::test]
async fn one_query_answers_for_every_machine() {
    let exporter = Exporter::start();
    let prometheus = Prometheus::start(exporter.1);
    let spec = prometheus.spec(None);
    let mut source = source(&spec);
    let deadline = Instant::now() + PATIENCE;
    // Twice scraped, so that the counters have moved; until then it may know nobody. A scrape has but a second, which
    // a busy machine may miss.
    let mut clocks = std::collections::BTreeSet::new();
    let found = loop {
        assert!(Instant::now() < deadline, "Prometheus never told of the machines");
        let found = rows(&mut source).await;
        if let Some(Ok(Sample::Host(sample))) = found.get("fleet/localhost") {
            clocks.insert(sample.clock.unwrap().to_bits());
            let settled = matches!(&found["fleet"], Ok(Sample::Fleet(fleet)) if (fleet.machines, fleet.unreachable) == (3, 1));
            if clocks.len() > 2 && settled && found.contains_key("fleet/127.0.0.2") {
                break found;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(
        found.keys().map(String::as_str).collect::<Vec<_>>(),
        ["fleet", "fleet/127.0.0.1", "fleet/127.0.0.2", "fleet/localhost"],
        "its own job is no machine"
    );
    let Ok(Sample::Fleet(fleet)) = &found["fleet"] else { panic!("{:?}", found["fleet"]) };
    assert_eq!((fleet.machines, fleet.unreachable), (3, 1));
    assert_eq!(found["fleet/127.0.0.2"].as_ref().unwrap_err().kind, PollErrorKind::Unreachable);

    let Ok(Sample::Host(sample)) = &found["fleet/localhost"] else { panic!("no machine") };
    assert_eq!(sample.group.as_str(), "web");
    let cores = super::host::processors();
    assert_eq!(usize::try_from(sample.cores).unwrap(), cores);
    let memory = sample.memory.unwrap();
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
    let total = meminfo.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024;
    assert_eq!(memory.total, total);
    assert!(sample.cpu.is_some() && sample.paging.is_some() && sample.tcp.is_some());
    assert!(!sample.filesystems.is_empty() && !sample.interfaces.iter().any(|it| it.name.as_str() == "lo"));
    assert!(sample.missing.iter().any(|gap| gap.what.as_str() == "accept queues"));

    // In the store each machine is a target with rates of its own, by the clock of the scrapes.
    let mut store = Store::new([world::info(&spec)]);
    let mut now = Timestamp::from_micros(1_000_000_000);
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "no rates");
        for reading in source.poll().await {
            store.take(now, reading);
        }
        let row = store.target(&spec.id.row("localhost")).unwrap();
        if let Some(cpu) = row.host_rates().and_then(|rates| rates.cpu) {
            let all = cpu.busy + cpu.iowait;
            assert!((0.0..=1.0).contains(&all), "{cpu:?}");
            break;
        }
        now = now.plus(Duration::from_millis(100));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let row = store.target(&spec.id.row("localhost")).unwrap();
    let Some(Sample::Host(sample)) = row.fresh(now) else { panic!("no machine") };
    let ago = sample.read_ago.unwrap();
    assert!((0.0..300.0).contains(&ago), "{ago} s since the scrape");
    assert!(row.age(now).unwrap().as_secs_f64() >= ago - 1e-3, "the age holds that of the scrape");
    assert_eq!(store.configured().count(), 1);
    assert_eq!(store.targets().len(), 4);
    assert_eq!(store.dropped(), 0);
    assert_eq!(store.hosts(now).count(), 2);
    assert_eq!(store.target(&spec.id.row("127.0.0.2")).unwrap().state(now), TargetState::Down);
    assert_eq!(store.target(&spec.id).unwrap().state(now), TargetState::Up);
    // A machine that is never heard of again is forgotten in the end.
    store.prune(now.plus(Duration::from_hours(1)));
    assert_eq!(store.targets().len(), 1);

    let nobody = rows(&mut self::source(&prometheus.spec(Some(r#"job="none""#)))).await;
    let error = nobody["fleet"].as_ref().unwrap_err();
    assert!(error.kind == PollErrorKind::Unsupported && error.says.as_str().contains("select"), "{error}");
    let refused = rows(&mut self::source(&prometheus.spec(Some("job~~\"a\"")))).await;
    let error = refused["fleet"].as_ref().unwrap_err();
    assert!(error.says.as_str().contains("400") || error.says.as_str().contains("refused"), "{error}");
    drop(prometheus);
    let gone = rows(&mut source).await;
    assert!(gone["fleet"].is_err() && gone.len() == 1);
}
