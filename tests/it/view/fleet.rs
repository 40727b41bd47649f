//! A thousand machines on one screen: what happened is one line, the moments reach back, the strip shows
//! who burns, and names and severities filter together.
#![expect(clippy::expect_used, reason = "what a test needs and does not get fails it")]

use std::time::Duration;

use warroom::app::{App, Msg, Pane, Place, Settings, Tab, World, settle, table, update};
use warroom::detect::Judge;
use warroom::model::{
    At, CpuTimes, Fact, HostSample, Memory, Millis, PollError, PollErrorKind, Reading, Sample, Severity,
    TargetId, Timestamp,
};
use warroom::store::{Store, TargetInfo};

use super::drawn::{screen, text};

struct Fleet {
    app: App,
    second: i64,
    machines: Vec<TargetId>,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(1_763_690_400_000_000 + second * 1_000_000)
}

impl Fleet {
    fn new(count: usize) -> Self {
        let id = |n: usize| TargetId::parse(&format!("web-{n:03}")).expect("legal");
        let info = |id: TargetId| TargetInfo {
            id,
            kind: "node_exporter".into(),
            endpoint: "http://10.0.0.5:9100".into(),
            every: Duration::from_secs(5),
            timeout: Duration::from_secs(3),
            slow_after: Duration::from_secs(1),
            group: String::new(),
        };
        let machines: Vec<TargetId> = (0..count).map(id).collect();
        let store = Store::new(machines.iter().cloned().map(info));
        let world = World { store, judge: Judge::default(), at: at(0), ..World::default() };
        let app = App { now: at(0), settings: Settings::default(), world, size: (120, 40), ..App::default() };
        Self { app, second: 0, machines }
    }

    /// One round of polls, a fifth of the machines each second; `busy` and `answers` speak of a machine.
    fn round(&mut self, busy: impl Fn(usize) -> f64, answers: impl Fn(usize) -> bool) {
        for part in 0..5 {
            self.second += 1;
            let now = at(self.second);
            for (n, id) in self.machines.iter().enumerate().filter(|(n, _)| n % 5 == part) {
                let sample = if answers(n) {
                    Ok(Sample::Host(Box::new(sample(self.second as f64, busy(n)))))
                } else {
                    Err(PollError::new(PollErrorKind::Timeout, "no answer within 3 s"))
                };
                let reading = Reading { target: id.clone(), took: Millis(1.0), sample };
                update(&mut self.app, now, Msg::Fact(At { at: now, it: Fact::Reading(reading) }));
            }
            settle(&mut self.app, now);
        }
    }

    fn happened(&self) -> Vec<&str> {
        self.app.events.iter().map(|event| event.says.as_str()).collect()
    }
}

fn sample(second: f64, busy: f64) -> HostSample {
    let second = second + 10.0;
    HostSample {
        cores: 4,
        cpu: Some(CpuTimes { user: second * busy, idle: second * (1.0 - busy), ..CpuTimes::default() }),
        memory: Some(Memory { total: 8 << 30, available: 6 << 30, ..Memory::default() }),
        ..HostSample::default()
    }
}

#[test]
fn a_thousand_that_go_at_once_are_one_event() {
    let mut fleet = Fleet::new(1_000);
    fleet.round(|_| 0.2, |_| true);
    fleet.round(|_| 0.2, |n| n == 7);
    let lost: Vec<&str> =
        fleet.happened().into_iter().filter(|says| says.contains("do not answer")).collect();
    let [lost] = lost[..] else { panic!("not one event: {:?}", fleet.happened()) };
    assert!(
        lost.starts_with(
            "999 targets do not answer: web-000, web-005, web-010 and 996 more, within 4.0 s; the last: "
        ),
        "{lost}"
    );
    assert!(fleet.happened().len() < 5, "{:?}", fleet.happened());
    let event = fleet.app.events.iter().find(|event| event.says.as_str() == lost).expect("it is there");
    assert_eq!(event.of.len(), 999, "who they were stays");
    // Each keeps a finding of its own.
    let findings = &fleet.app.world.judgement.findings;
    assert_eq!(findings.iter().filter(|it| it.severity == Severity::Critical).count(), 999);
    fleet.round(|_| 0.2, |_| true);
    let back: Vec<&str> = fleet.happened().into_iter().filter(|says| says.contains("answer again")).collect();
    assert!(matches!(back[..], [one] if one.starts_with("999 targets answer again")), "{back:?}");
    // Few are told one by one.
    for _ in 0..3 {
        fleet.round(|_| 0.2, |_| true);
    }
    fleet.round(|_| 0.2, |n| n > 1);
    let few = fleet.happened().into_iter().filter(|says| says.contains("does not answer")).count();
    assert_eq!(few, 2, "{:?}", fleet.happened());
}

#[test]
fn the_moments_of_a_fleet_reach_back_for_minutes() {
    let mut fleet = Fleet::new(1_000);
    for _ in 0..60 {
        fleet.round(|_| 0.2, |_| true);
    }
    let now = at(fleet.second);
    let mut moments = vec![now];
    while let Some(frame) = fleet.app.history.before(moments[moments.len() - 1]) {
        moments.push(frame.at);
    }
    let oldest = now.seconds_since(moments[moments.len() - 1]);
    assert!(moments.len() >= 6 && oldest >= 100.0, "{} moments, the oldest {oldest} s ago", moments.len());
    let frame = fleet.app.history.oldest().expect("there is one");
    assert_eq!(frame.targets.len(), 1_000, "a moment is whole");
}

#[test]
fn the_strip_shows_who_burns_and_words_filter_together() {
    let mut fleet = Fleet::new(300);
    for _ in 0..4 {
        fleet.round(|n| if n % 50 == 7 { 0.99 } else { 0.2 }, |n| n != 20);
    }
    fleet.app.viewpoint.stack = vec![Place::Zoom(Pane::Cpu, Tab::Hosts)];
    let seen = text(&screen(&fleet.app, "terminal", 120, 40));
    let heat: Vec<&str> =
        seen.lines().filter(|line| !line.contains("machines") && line.matches('▂').count() > 50).collect();
    assert_eq!(heat.len(), 3, "{seen}");
    let strip: String = heat.iter().map(|line| line.trim()).collect();
    let cells: Vec<char> = strip.chars().collect();
    assert_eq!(cells.len(), 300, "{seen}");
    let burns: Vec<usize> = (0..300).filter(|n| cells[*n] == '█').collect();
    assert_eq!(burns, [7, 57, 107, 157, 207, 257], "each in its own place");
    assert_eq!(cells[20], '?', "one that does not answer is no quiet one");
    assert!(seen.contains("by name, web-000 to web-299"), "{seen}");

    fleet.app.viewpoint.filter = "web-1 critical".into();
    let rows = table(&fleet.app, Tab::Hosts).rows;
    let names: Vec<String> = rows.iter().map(|row| format!("{:?}", row.key)).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.iter().all(|name| name.contains("web-107") || name.contains("web-157")), "{names:?}");
    fleet.app.viewpoint.filter = "web-1 !critical".into();
    assert_eq!(table(&fleet.app, Tab::Hosts).rows.len(), 98);
}
