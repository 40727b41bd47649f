//! Worlds to be drawn: real samples, second by second, through the store and the judge.
#![expect(
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "small numbers made up for the screen"
)]

use std::time::Duration;

use jiff::tz::TimeZone;
use warroom::app::{App, Event, EventKind};
use warroom::model::*;
use warroom::store::{Store, TargetInfo};

use super::dials::Dials;

/// 14:00:00 UTC on a day in November.
pub(super) const START: i64 = 1_763_733_600;

/// The instant `second` after the start.
pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_micros((START + second) * 1_000_000)
}

/// An id.
pub(super) fn id(text: &str) -> TargetId {
    text.parse().expect("legal")
}

/// A console that looks at eight targets.
pub(super) struct Lab {
    pub(super) app: App,
    pub(super) dials: Dials,
    pub(super) second: i64,
    lock_since: Option<i64>,
    /// Processor seconds spent busy and idle, by machine; pages swapped; keys evicted.
    spent: std::collections::BTreeMap<&'static str, (f64, f64)>,
    swapped: u64,
    evicted: u64,
}

const TARGETS: [(&str, &str); 8] = [
    ("edge", "haproxy"),
    ("primary", "postgres"),
    ("replica", "postgres"),
    ("db1", "host"),
    ("web1", "host"),
    ("web2", "host"),
    ("cache", "redis"),
    ("jobs", "rq"),
];

impl Lab {
    /// All targets, nothing heard yet.
    pub(super) fn new() -> Self {
        let infos = TARGETS.map(|(name, kind)| TargetInfo {
            id: id(name),
            kind: kind.into(),
            endpoint: format!("{kind}://10.0.0.5"),
            every: Duration::from_secs(1),
            timeout: Duration::from_secs(3),
            slow_after: Duration::from_secs(1),
            group: String::new(),
        });
        let mut app = App::default();
        app.settings.environment.name = "production".into();
        app.settings.zone = TimeZone::UTC;
        app.settings.actor = Actor { user: "oncall".into(), host: "bastion".into(), from: None };
        app.world.store = Store::new(infos);
        app.now = at(0);
        app.world.at = at(0);
        Self {
            app,
            dials: Dials::default(),
            second: 0,
            lock_since: None,
            spent: std::collections::BTreeMap::new(),
            swapped: 0,
            evicted: 0,
        }
    }

    /// A healthy world, two minutes old.
    pub(super) fn healthy() -> Self {
        let mut lab = Self::new();
        lab.run(120);
        lab
    }

    /// Lets it run with changed dials.
    pub(super) fn with(mut self, seconds: i64, change: impl FnOnce(&mut Dials)) -> Self {
        change(&mut self.dials);
        self.run(seconds);
        self
    }

    /// Marks a deploy now.
    pub(super) fn deploy(mut self, label: &str) -> Self {
        let mark = Mark {
            id: label.into(),
            label: label.into(),
            note: "checkout rewrite".into(),
            by: "oncall".into(),
        };
        self.app.world.store.mark(At { at: at(self.second), it: mark });
        self.event(EventKind::Deploy, &format!("deploy {label} marked by oncall \"checkout rewrite\""));
        self
    }

    fn event(&mut self, kind: EventKind, says: &str) {
        self.app.numbers.events += 1;
        let number = self.app.numbers.events;
        self.app.events.push_back(Event {
            number,
            at: at(self.second),
            kind,
            says: SafeText::new(says),
            of: Vec::new(),
            topic: String::new(),
        });
    }

    fn run(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.second += 1;
            self.lock_since = match (self.dials.waiters, self.lock_since) {
                (0, _) => None,
                (_, None) => Some(self.second),
                (_, since) => since,
            };
            let now = at(self.second);
            for name in ["db1", "web1", "web2"] {
                let busy = self.busy(name);
                let spent = self.spent.entry(name).or_default();
                *spent = (spent.0 + 8.0 * busy, spent.1 + 8.0 * (0.99 - busy));
            }
            self.swapped += self.dials.swap;
            self.evicted += if self.dials.fill > 0.9 { 240 } else { 0 };
            for (name, kind) in TARGETS {
                if self.dials.silent.contains(&name) {
                    continue;
                }
                let down = self.dials.down.iter().find(|(down, _)| *down == name);
                let sample = match down {
                    Some((_, why)) => Err(PollError::new(*why, refusal(*why))),
                    None => Ok(self.sample(name, kind)),
                };
                self.app.world.store.take(now, Reading { target: id(name), took: Millis(1.1), sample });
            }
            let world = &mut self.app.world;
            let (judgement, transitions) = world.judge.judge(&mut world.store, now);
            world.judgement = judgement;
            world.at = now;
            self.app.now = now;
            for it in transitions {
                let finding = it.finding;
                let head = finding.resource.headline().to_lowercase();
                let says = format!("{head} on {}: {}", finding.target, finding.says);
                self.event(EventKind::Finding(finding.severity), &says);
            }
        }
    }

    fn sample(&self, name: &str, kind: &str) -> Sample {
        match kind {
            "haproxy" => Sample::Proxy(Box::new(self.proxy())),
            "postgres" => Sample::Database(Box::new(self.database(name == "replica"))),
            "host" => Sample::Host(Box::new(self.host(name))),
            "redis" => Sample::Cache(Box::new(self.cache())),
            _ => Sample::Queue(Box::new(self.queues())),
        }
    }

    fn wobble(&self) -> f64 {
        (self.second as f64 / 9.0).sin() * 0.04
    }

    fn busy(&self, name: &str) -> f64 {
        match name {
            "db1" => self.dials.busy + self.wobble(),
            "web1" => 0.13,
            _ => 0.18 - self.wobble(),
        }
    }

    fn proxy(&self) -> ProxySample {
        let t = self.second as u64;
        let server = |n: usize, queue: u64| ProxyServer {
            name: SafeText::new(&format!("web{n}")),
            state: if n <= self.dials.servers_down { ServerState::Down } else { ServerState::Up },
            status: if n <= self.dials.servers_down { "DOWN".into() } else { "UP".into() },
            limit: Some(8),
            in_flight: if queue > 0 { 8 } else { 1 },
            queue,
            queue_time_ms: Some(queue * 4),
            requests: t * 70,
            ..ProxyServer::default()
        };
        let backend = |name: &str, queue: u64, requests: u64| ProxyBackend {
            name: name.into(),
            up: true,
            queue,
            requests,
            errors_5xx: t / 40,
            in_flight: if queue > 0 { 24 } else { 3 },
            servers: (1..=3).map(|n| server(n, queue / 3)).collect(),
            ..ProxyBackend::default()
        };
        ProxySample {
            cache: None,
            process: Some(ProxyProcess { pid: 77, uptime: t, ..ProxyProcess::default() }),
            backends: vec![backend("app", self.dials.queued, t * 210), backend("api", 0, t * 40)],
            missing: Vec::new(),
        }
    }

    fn database(&self, replica: bool) -> DatabaseSample {
        let now = at(self.second);
        let mut backends = Vec::new();
        let dials = &self.dials;
        let backend = |pid: i32, name: &str, state: BackendState, query: &str| Backend {
            key: BackendKey { pid, started: at(-600) },
            leader_pid: None,
            kind: "client backend".into(),
            database: "app".into(),
            user: "app".into(),
            application_name: SafeText::new(name),
            client: "10.0.0.14".into(),
            state,
            wait: None,
            query_start: Some(now),
            xact_age: None,
            query_age: Some(0.01),
            state_age: Some(0.01),
            has_written: false,
            query: query.into(),
            blocked_by: Vec::new(),
            wait_age: None,
            wants: None,
            holds: Vec::new(),
            process: "".into(),
        };
        for n in 0..dials.idle as i32 {
            backends.push(backend(4000 + n, &format!("web.{}", n % 4), BackendState::Idle, "COMMIT"));
        }
        if !replica {
            for n in 0..dials.slow as i32 {
                let mut one =
                    backend(4600 + n, "report", BackendState::Active, "SELECT sum(total) FROM orders");
                one.query_age = Some(40.0 + f64::from(n));
                one.xact_age = one.query_age;
                backends.push(one);
            }
            if let Some(since) = self.lock_since {
                let age = (self.second - since) as f64 + 1.0;
                let mut root = backend(
                    4211,
                    &dials.holder,
                    BackendState::IdleInTransaction,
                    "ALTER TABLE users ADD COLUMN plan text",
                );
                (root.xact_age, root.state_age, root.has_written) = (Some(age + 1.0), Some(age), true);
                backends.push(root);
                for n in 0..dials.waiters as i32 {
                    let mut one = backend(
                        4300 + n,
                        &format!("web.{}", n % 4),
                        BackendState::Active,
                        "SELECT * FROM users WHERE id = $1",
                    );
                    one.wait = Some(Wait { class: "Lock".into(), event: "relation".into() });
                    one.blocked_by = vec![4211];
                    let waited = (age - f64::from(n) * 0.1).max(0.3);
                    (one.wait_age, one.query_age, one.xact_age) = (Some(waited), Some(waited), Some(waited));
                    backends.push(one);
                }
            }
        }
        let t = self.second as u64;
        DatabaseSample {
            version: 150_018,
            server_time: now,
            started: at(-90_000),
            in_recovery: replica,
            max_connections: 100,
            reserved_connections: 3,
            backends,
            totals: Some(DatabaseTotals {
                commits: t * if replica { 12 } else { 1240 },
                blocks_hit: t * 9_900,
                blocks_read: t * 100,
                ..DatabaseTotals::default()
            }),
            replay_lag: replica.then_some(0.0),
            ..DatabaseSample::default()
        }
    }

    fn host(&self, name: &str) -> HostSample {
        let t = self.second as f64;
        let busy = self.busy(name);
        let spent = self.spent.get(name).copied().unwrap_or_default();
        let total: u64 = 34_359_738_368;
        let used = if name == "web2" { self.dials.memory } else { 0.36 };
        HostSample {
            hostname: name.into(),
            cores: 8,
            cpu: Some(CpuTimes {
                user: spent.0 * 0.8,
                system: spent.0 * 0.2,
                iowait: t * 8.0 * 0.01,
                steal: 0.0,
                idle: spent.1,
            }),
            run_queue: Some(if busy > 0.9 { 19 } else { 1 }),
            load: Some([0.8, 0.7, 0.6]),
            memory: Some(Memory {
                total,
                available: (total as f64 * (1.0 - used)) as u64,
                swap_total: 4_294_967_296,
                swap_free: 4_294_967_296,
            }),
            paging: Some(Paging {
                swap_in: self.swapped,
                swap_out: self.swapped,
                refaults: Some(0),
                oom_kills: Some(0),
                ..Paging::default()
            }),
            pressure: Some(Pressure { cpu_some: (spent.0 * 1e4) as u64, ..Pressure::default() }),
            filesystems: vec![Filesystem { mount: "/".into(), total: 100 << 30, available: 58 << 30 }],
            uptime: Some(90_000.0),
            ..HostSample::default()
        }
    }

    fn cache(&self) -> CacheSample {
        let t = self.second as u64;
        let limit: u64 = 4 << 30;
        CacheSample {
            product: "redis 7.0.15".into(),
            run_id: "a1".into(),
            uptime: Some(90_000),
            role: "master".into(),
            used_memory: (limit as f64 * (self.dials.fill + self.wobble() / 8.0)) as u64,
            max_memory: Some(limit),
            eviction_policy: "allkeys-lru".into(),
            keys: 184_210,
            evicted: self.evicted,
            hits: t * 30_000,
            misses: t * 900,
            commands: t * 31_000,
            clients: 42,
            max_clients: Some(10_000),
            ping_ms: Some(0.2),
            fragmentation_ratio: Some(1.04),
            ..CacheSample::default()
        }
    }

    fn queues(&self) -> QueueSample {
        let t = self.second as u64;
        let queue = |name: &str, depth: u64, oldest: f64, workers: u32| Queue {
            name: name.into(),
            depth,
            oldest: if depth == 0 { QueueAge::Empty } else { QueueAge::Exact(oldest) },
            in_flight: Some(1),
            dead: Some(3),
            processed: Some(if workers == 0 { 900 } else { t * 9 }),
            failed: Some(3),
            workers: Some(workers),
            busy: Some(workers.min(1)),
            ..Queue::default()
        };
        let mut queues = vec![
            queue("default", 0, 0.0, 4),
            queue("mail", self.dials.jobs, self.dials.oldest, self.dials.workers),
        ];
        for n in 0..self.dials.more_queues {
            let late = 20_u64.saturating_sub(n);
            queues.push(queue(&format!("tenant-{n:03}"), late * 40, late as f64 * 35.0, 4));
        }
        QueueSample { queues, workers: Some(4), ..QueueSample::default() }
    }
}

/// What a source says in such a case.
fn refusal(why: PollErrorKind) -> &'static str {
    match why {
        PollErrorKind::Timeout => "nothing came back within 3.0 s",
        PollErrorKind::Login => "10.0.0.4:8404/stats wants a user and a password: put them into the url",
        PollErrorKind::Garbage => "redis://10.0.0.6:6379/0 hangs up instead of answering; is it a Redis?",
        _ => "nobody listens on redis://10.0.0.5:6379/0",
    }
}
