//! An operator at a made-up incident: a pile-up behind one session, a cache, a queue, a proxy, a machine.

use std::time::Duration;

use warroom::app::{App, Effect, Msg, Overlay, Settings, World, settle, update};
use warroom::detect::Judge;
use warroom::model::{
    At, Backend, BackendKey, BackendState, CacheSample, Confirm, CpuTimes, DatabaseSample, Fact, Filesystem,
    HostSample, Intent, Memory, Millis, Namespace, NamespaceSample, Outcome, OutcomeKind, Plan, PlanId,
    PollError, PollErrorKind, ProxyBackend, ProxySample, ProxyServer, Queue, QueueAge, QueueSample, Reading,
    SafeText, Sample, TargetId, Tcp, Timestamp, Wait,
};
use warroom::store::{Store, TargetInfo};

pub(super) struct Bench {
    pub(super) app: App,
    pub(super) at: Timestamp,
    /// Everything that was asked for.
    pub(super) effects: Vec<Effect>,
}

pub(super) fn id(text: &str) -> TargetId {
    text.parse().expect("a target id")
}

pub(super) fn key(pid: i32) -> BackendKey {
    BackendKey { pid, started: Timestamp::from_micros(1_000_000 + i64::from(pid)) }
}

pub(super) fn backend(pid: i32, application: &str, state: BackendState, blocked_by: &[i32]) -> Backend {
    let waits = !blocked_by.is_empty();
    Backend {
        key: key(pid),
        leader_pid: None,
        kind: "client backend".into(),
        database: "app".into(),
        user: "app".into(),
        application_name: application.into(),
        client: "10.0.0.14".into(),
        state,
        wait: waits.then(|| Wait { class: "Lock".into(), event: "transactionid".into() }),
        query_start: Some(Timestamp::from_micros(5_000_000)),
        xact_age: Some(134.0),
        query_age: Some(60.0),
        state_age: Some(134.0),
        has_written: !waits,
        query: "UPDATE users SET plan = $1 WHERE id = $2".into(),
        blocked_by: blocked_by.to_vec(),
        wait_age: waits.then_some(60.0),
        wants: None,
        holds: Vec::new(),
        process: "".into(),
    }
}

/// pid 4211 holds what 4300 to 4309 want.
pub(super) fn pile_up() -> DatabaseSample {
    let mut backends = vec![backend(4211, "web.3", BackendState::IdleInTransaction, &[])];
    backends.extend((4300..4310).map(|pid| backend(pid, "web.1", BackendState::Active, &[4211])));
    backends.push(backend(5000, "cron", BackendState::Idle, &[]));
    DatabaseSample { version: 150_018, max_connections: 100, backends, ..DatabaseSample::default() }
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(Settings::default())
    }

    /// With these settings, and an incident under way.
    pub(super) fn with(settings: Settings) -> Self {
        let namespace = |name: &str, protected| {
            let prefix = format!("cache:{name}:");
            (id("cache"), Namespace::parse(name, &prefix, protected).expect("a namespace"))
        };
        let info = |name: &str, kind: &str| TargetInfo {
            id: id(name),
            kind: kind.into(),
            endpoint: format!("{kind}://10.0.0.5"),
            every: Duration::from_secs(1),
            timeout: Duration::from_secs(3),
            slow_after: Duration::from_secs(1),
            group: String::new(),
        };
        let targets = [
            info("bastion", "host"),
            info("primary", "postgres"),
            info("cache", "redis"),
            info("jobs", "rq"),
            info("edge", "haproxy"),
        ];
        let settings = Settings {
            namespaces: vec![
                namespace("templates", false),
                namespace("pages", false),
                namespace("sessions", true),
            ],
            themes: ["terminal", "mono", "high-contrast"].map(String::from).to_vec(),
            lab: Some(("/lab".into(), vec!["lock-pileup".into(), "slow-app".into()])),
            ..settings
        };
        let at = Timestamp::from_micros(1_763_690_400_000_000);
        let world = World { store: Store::new(targets), judge: Judge::default(), at, ..World::default() };
        let app = App { now: at, settings, world, size: (120, 40), ..App::default() };
        let mut bench = Self { app, at, effects: Vec::new() };
        bench.seconds(4);
        bench
    }

    pub(super) fn take(&mut self, target: &str, sample: Result<Sample, PollError>) {
        let reading = Reading { target: id(target), took: Millis(1.1), sample };
        self.msg(Msg::Fact(At { at: self.at, it: Fact::Reading(reading) }));
    }

    pub(super) fn database(&mut self, sample: DatabaseSample) {
        self.take("primary", Ok(Sample::Database(Box::new(sample))));
    }

    /// One second of the incident, all targets answering.
    pub(super) fn second(&mut self, database: DatabaseSample) {
        self.wait(1_000);
        self.database(database);
        let second = self.at.as_micros() as f64 / 1e6;
        let host = HostSample {
            cores: 2,
            run_queue: Some(1),
            cpu: Some(CpuTimes { user: second * 0.2, idle: second * 1.8, ..CpuTimes::default() }),
            memory: Some(Memory { total: 100, available: 70, ..Memory::default() }),
            filesystems: vec![Filesystem { mount: "/".into(), total: 100, available: 60 }],
            tcp: Some(Tcp::default()),
            ..HostSample::default()
        };
        self.take("bastion", Ok(Sample::Host(Box::new(host))));
        let sampled = |name: &str| NamespaceSample {
            name: name.into(),
            share: Some(0.25),
            ..NamespaceSample::default()
        };
        let cache = CacheSample {
            used_memory: 50,
            max_memory: Some(100),
            keys: 1_000,
            namespaces: vec![sampled("templates"), sampled("pages")],
            ..CacheSample::default()
        };
        self.take("cache", Ok(Sample::Cache(Box::new(cache))));
        let queue = Queue { name: "mail".into(), depth: 3, oldest: QueueAge::Exact(2.0), ..Queue::default() };
        let jobs = QueueSample { queues: vec![queue], workers: Some(1), ..QueueSample::default() };
        self.take("jobs", Ok(Sample::Queue(Box::new(jobs))));
        self.proxy(Some(10));
        self.msg(Msg::Tick);
        let effects = settle(&mut self.app, self.at);
        self.effects.extend(effects);
    }

    /// The proxy answers; its one server has this limit.
    pub(super) fn proxy(&mut self, limit: Option<u64>) {
        let name = || SafeText::new("web1");
        let state = warroom::model::ServerState::Up;
        let server =
            ProxyServer { name: name(), limit, state, status: "UP".into(), ..ProxyServer::default() };
        let app =
            ProxyBackend { name: "app".into(), up: true, servers: vec![server], ..ProxyBackend::default() };
        let proxy = ProxySample { backends: vec![app], ..ProxySample::default() };
        self.take("edge", Ok(Sample::Proxy(Box::new(proxy))));
    }

    /// What is concluded now, in words.
    pub(super) fn findings(&self) -> Vec<String> {
        self.app.world.judgement.findings.iter().map(|it| format!("{} {}", it.reference(), it.says)).collect()
    }

    pub(super) fn seconds(&mut self, seconds: usize) {
        for _ in 0..seconds {
            self.second(pile_up());
        }
    }

    pub(super) fn wait(&mut self, ms: u64) {
        self.at = self.at.plus(Duration::from_millis(ms));
    }

    pub(super) fn msg(&mut self, msg: Msg) -> Vec<Effect> {
        let effects = update(&mut self.app, self.at, msg);
        self.effects.extend(effects.clone());
        effects
    }

    /// Presses these keys, a chord a word, and returns what they led to.
    pub(super) fn press(&mut self, keys: &str) -> Vec<Effect> {
        keys.split(' ').flat_map(|key| self.msg(Msg::Key(key.parse().expect("a chord")))).collect()
    }

    /// Types a text, and presses Enter.
    pub(super) fn enter(&mut self, text: &str) -> Vec<Effect> {
        self.write(text);
        self.press("enter")
    }

    pub(super) fn write(&mut self, text: &str) {
        for c in text.chars() {
            self.msg(Msg::Key(warroom::app::Chord::char(c)));
        }
    }

    /// Answers the last question for a plan.
    pub(super) fn answer(&mut self, change: impl FnOnce(&mut Plan)) {
        let (ask, intent) = self.asked().expect("a plan was asked for");
        let mut plan = plan(intent, ask, self.at);
        change(&mut plan);
        self.msg(Msg::Planned(ask, Box::new(Ok(plan))));
    }

    pub(super) fn asked(&self) -> Option<(u64, Intent)> {
        self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Plan(ask, intent) => Some((*ask, intent.clone())),
            _ => None,
        })
    }

    /// The plan's dialog up and long enough on the screen.
    pub(super) fn dialog(&mut self, keys: &str) {
        self.press(keys);
        self.answer(|_| {});
        self.wait(500);
    }

    pub(super) fn notice(&self) -> String {
        self.app.notice.as_ref().map(|notice| notice.says.clone()).unwrap_or_default()
    }

    pub(super) fn closed(&self) -> bool {
        self.app.overlay.is_none()
    }

    pub(super) fn disarmed(&self) -> Option<String> {
        match &self.app.overlay {
            Some(Overlay::Confirm(it)) => it.disarmed.as_ref().map(ToString::to_string),
            _ => None,
        }
    }

    pub(super) fn events(&self) -> Vec<String> {
        self.app.events.iter().map(|event| event.says.to_string()).collect()
    }
}

pub(super) fn plan(intent: Intent, ask: u64, at: Timestamp) -> Plan {
    Plan {
        id: PlanId(format!("p{ask}")),
        intent,
        read_at: at,
        title: "End pid 4211 on primary".into(),
        lines: Vec::new(),
        warnings: Vec::new(),
        gentler: None,
        verb: "end the session".into(),
        confirm: Confirm::Key,
        touches: 1,
        frees: Some(10),
        identity: "the same".into(),
    }
}

pub(super) fn outcome(plan: &PlanId, says: &str) -> Outcome {
    Outcome::new(plan.clone(), OutcomeKind::Done, says)
}

pub(super) fn acts(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Act(_))).count()
}

pub(super) fn plans(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Plan(..))).count()
}

pub(super) fn refused() -> PollError {
    PollError::new(PollErrorKind::Unreachable, "connection refused")
}

pub(super) fn text(cell: &warroom::app::Cell) -> String {
    warroom::app::words_of(cell)
}

pub(super) fn safe(text: &str) -> SafeText {
    SafeText::new(text)
}
