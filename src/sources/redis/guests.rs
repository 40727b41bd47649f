//! Who is connected: looked up only while something makes it worth what it costs the server.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use redis::Value;
use tokio::time::Instant;

use super::super::resp;
use crate::model::{
    CacheClientGroup, CacheClients, CacheSample, ClientRole, FreshClients, HeavyClient, SafeText,
};

/// How often the list is read while there is a reason to.
const EVERY: Duration = Duration::from_secs(5);
/// A list this long is read a twelfth as often: some 1 400 connections, for which the server needs 4 ms.
const LONG: usize = 256 << 10;
/// A list this short is read at every poll while connections come and go: at most a millisecond.
const SHORT: usize = 64 << 10;
/// One this short several times in a poll, for connections that live for one request: a quarter of one.
const SHORTEST: usize = 16 << 10;
/// Further looks of such a poll, and the pause before each.
pub(super) const GLANCES: usize = 4;
pub(super) const BETWEEN: Duration = Duration::from_millis(7);
/// New connections a second, and their share of the commands, from which they are worth a look: less than
/// what is found to be trouble, so that the culprit is known by then.
const CHURN: (f64, f64) = (20.0, 0.02);
/// Share of the connections in use, and bytes of the longest answer that waits, that make a look worth while.
const FULL: f64 = 0.7;
const PILED: u64 = 1 << 20;
/// How long a new connection is remembered, and how many.
const FRESH: Duration = Duration::from_secs(10);
const REMEMBERED: usize = 2_000;
/// Seconds without a question from which a connection is idle.
const IDLE: u64 = 60;
/// Groups and single connections told of.
const TOLD: usize = 8;
/// Name of warroom's own connections.
const OURS: &str = "warroom";

/// What INFO counted at the poll before.
struct Before {
    at: Instant,
    connections: u64,
    commands: u64,
    rejected: u64,
    drops: u64,
    monitors: u64,
}

/// The connections of one server.
#[derive(Default)]
pub(super) struct Guests {
    before: Option<Before>,
    churns: bool,
    wanted: bool,
    asked: Option<Instant>,
    length: usize,
    fresh: VecDeque<(Instant, u64, SafeText)>,
    last: Option<(Instant, CacheClients)>,
}

impl Guests {
    /// Another server answers now.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether the list is asked for now.
    pub(super) fn is_time(&self) -> bool {
        let every = match self.length {
            LONG.. => EVERY * 12,
            _ if self.churns && self.length < SHORT => Duration::ZERO,
            _ => EVERY,
        };
        self.wanted && self.asked.is_none_or(|at| at.elapsed() >= every)
    }

    /// Whether connections come and go too fast for one look a poll.
    pub(super) const fn is_worth_glances(&self) -> bool {
        self.churns && self.length < SHORTEST
    }

    /// Looks for a reason in what INFO says.
    pub(super) fn weigh(&mut self, sample: &CacheSample) {
        let monitors = sample.command_stats.iter().find(|it| it.name.as_str() == "monitor");
        let now = Before {
            at: Instant::now(),
            connections: sample.connections,
            commands: sample.commands,
            rejected: sample.rejected,
            drops: sample.output_drops.unwrap_or(0),
            monitors: monitors.map_or(0, |it| it.calls),
        };
        let full = sample.max_clients.is_some_and(|most| sample.clients as f64 >= most as f64 * FULL);
        let piled = sample.output_buffer.is_some_and(|bytes| bytes >= PILED);
        // One that was there before us is found by the first look.
        let mut reason = full || piled || self.before.is_none() && now.monitors > 0;
        self.churns = false;
        if let Some(before) = &self.before {
            let seconds = now.at.duration_since(before.at).as_secs_f64().max(1e-3);
            let made = now.connections.saturating_sub(before.connections) as f64;
            let commands = now.commands.saturating_sub(before.commands) as f64;
            self.churns = made / seconds >= CHURN.0 && made >= commands * CHURN.1;
            reason |=
                now.rejected > before.rejected || now.drops > before.drops || now.monitors > before.monitors;
        }
        let listens = |it: &HeavyClient| it.role == ClientRole::Monitor;
        let still = self.last.as_ref().is_some_and(|(_, last)| last.heavy.iter().any(listens));
        self.wanted = reason || self.churns || still;
        self.before = Some(now);
    }

    /// Takes the list in.
    pub(super) fn take(&mut self, value: &Value) {
        let text = resp::text(value).unwrap_or_default();
        let now = Instant::now();
        self.asked = Some(now);
        self.length = text.len();
        let lines: Vec<_> = text.lines().map(Line::parse).collect();
        let theirs: Vec<_> = lines.iter().filter(|line| line.name != OURS).collect();
        self.fresh.retain(|(at, ..)| now.duration_since(*at) < FRESH);
        for line in theirs.iter().filter(|line| line.age <= 1 && line.role == ClientRole::Normal) {
            if self.fresh.len() < REMEMBERED && self.fresh.iter().all(|(_, id, _)| *id != line.id) {
                self.fresh.push_back((now, line.id, SafeText::new(&line.who(false))));
            }
        }
        let mut groups: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for line in &theirs {
            let group = groups.entry(line.who(false)).or_default();
            group.0 += 1;
            group.1 += u64::from(line.idle >= IDLE);
        }
        let group = |(who, (connections, idle)): (String, _)| CacheClientGroup {
            who: SafeText::new(&who),
            connections,
            idle,
        };
        let mut groups: Vec<_> = groups.into_iter().map(group).collect();
        groups.sort_by_key(|it| std::cmp::Reverse(it.connections));
        groups.truncate(TOLD);
        let is_heavy = |line: &&&Line<'_>| line.bytes >= PILED || line.role == ClientRole::Monitor;
        let mut heavy: Vec<_> = theirs.iter().filter(is_heavy).map(|line| line.heavy()).collect();
        heavy.sort_by_key(|it| std::cmp::Reverse(it.bytes));
        heavy.truncate(TOLD);
        let listed = lines.len() as u64;
        self.last = Some((now, CacheClients { listed, groups, fresh: Vec::new(), heavy }));
    }

    /// What is known of late.
    pub(super) fn told(&self) -> Option<CacheClients> {
        let (_, last) = self.last.as_ref().filter(|(at, _)| self.wanted || at.elapsed() < FRESH)?;
        let mut fresh: BTreeMap<&SafeText, u64> = BTreeMap::new();
        for (.., who) in self.fresh.iter().filter(|(at, ..)| at.elapsed() < FRESH) {
            *fresh.entry(who).or_default() += 1;
        }
        let mut fresh: Vec<_> =
            fresh.into_iter().map(|(who, seen)| FreshClients { who: who.clone(), seen }).collect();
        fresh.sort_by_key(|it| std::cmp::Reverse(it.seen));
        fresh.truncate(TOLD);
        Some(CacheClients { fresh, ..last.clone() })
    }
}

/// One line of the list.
#[derive(Default)]
struct Line<'a> {
    id: u64,
    address: &'a str,
    name: &'a str,
    library: &'a str,
    version: &'a str,
    command: &'a str,
    age: u64,
    idle: u64,
    bytes: u64,
    role: ClientRole,
}

impl<'a> Line<'a> {
    fn parse(text: &'a str) -> Self {
        let mut line = Self::default();
        for (key, value) in text.split(' ').filter_map(|field| field.split_once('=')) {
            let number = || value.parse().unwrap_or(0);
            match key {
                "id" => line.id = number(),
                "addr" => line.address = value,
                "name" => line.name = value,
                "lib-name" => line.library = value,
                "lib-ver" => line.version = value,
                "cmd" => line.command = value,
                "age" => line.age = number(),
                "idle" => line.idle = number(),
                "omem" => line.bytes = number(),
                // A monitor is told as a replica, too.
                "flags" if value.contains('O') => line.role = ClientRole::Monitor,
                "flags" if value.contains('S') => line.role = ClientRole::Replica,
                "flags" if value.contains('P') => line.role = ClientRole::Subscriber,
                _ => {}
            }
        }
        line
    }

    /// Who that is: the number that tells one worker of many from the next is left away.
    fn who(&self, exactly: bool) -> String {
        let host = if exactly { self.address } else { host(self.address) };
        let name = match self.name.trim_end_matches(|c: char| c.is_ascii_digit() || "-._:#".contains(c)) {
            _ if exactly => self.name,
            "" => self.name,
            shared => shared,
        };
        let mut who = if name.is_empty() { host.to_owned() } else { format!("{name} at {host}") };
        if !self.library.is_empty() {
            who = format!("{who} ({})", [self.library, self.version].join(" ").trim_end());
        }
        who
    }

    fn heavy(&self) -> HeavyClient {
        HeavyClient {
            who: SafeText::new(&self.who(true)),
            role: self.role,
            command: SafeText::new(&self.command.to_ascii_lowercase()),
            bytes: self.bytes,
            age: self.age,
        }
    }
}

fn host(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(lines: &[&str]) -> Value {
        Value::BulkString(lines.join("\n").into_bytes())
    }

    #[test]
    fn workers_of_one_program_are_one_and_we_are_none_of_them() {
        let mut guests = Guests { wanted: true, ..Guests::default() };
        guests.take(&list(&[
            "id=3 addr=10.0.0.7:51 name=web.1 age=90 idle=70 flags=N omem=0 cmd=get lib-name=redis-py lib-ver=5.0.1",
            "id=4 addr=10.0.0.7:52 name=web.12 age=1 idle=0 flags=N omem=0 cmd=get lib-name=redis-py lib-ver=5.0.1",
            "id=5 addr=10.0.0.9:53 name= age=200 idle=0 flags=P omem=40000000 cmd=subscribe",
            "id=6 addr=10.0.0.9:54 name= age=7 idle=0 flags=O omem=20000000 cmd=monitor",
            "id=7 addr=10.0.0.1:55 name=warroom age=0 idle=0 flags=N omem=90000000 cmd=client|list",
            "nothing of the sort",
        ]));
        let told = guests.told().expect("wanted");
        assert_eq!(told.listed, 6);
        let web = &told.groups[1];
        assert_eq!((web.who.as_str(), web.connections, web.idle), ("web at 10.0.0.7 (redis-py 5.0.1)", 2, 1));
        assert_eq!(told.fresh.len(), 2, "{:?}", told.fresh);
        let heavy: Vec<_> = told.heavy.iter().map(|it| (it.who.as_str(), it.role, it.bytes)).collect();
        let (listener, monitor) = (ClientRole::Subscriber, ClientRole::Monitor);
        assert_eq!(heavy, [("10.0.0.9:53", listener, 40_000_000), ("10.0.0.9:54", monitor, 20_000_000)]);
    }

    #[test]
    fn a_new_connection_is_counted_once_however_often_it_is_seen() {
        let mut guests = Guests { wanted: true, ..Guests::default() };
        for _ in 0..3 {
            guests.take(&list(&["id=9 addr=10.0.0.7:51 name= age=0 flags=N"]));
        }
        guests.take(&list(&["id=10 addr=10.0.0.7:52 name= age=0 flags=N"]));
        assert_eq!(guests.told().expect("wanted").fresh[0].seen, 2);
    }

    #[test]
    fn the_list_is_read_for_a_reason_only() {
        let mut guests = Guests::default();
        let mut sample = CacheSample { max_clients: Some(100), clients: 10, ..CacheSample::default() };
        guests.weigh(&sample);
        assert!(!guests.is_time());
        sample.clients = 75;
        guests.weigh(&sample);
        assert!(guests.is_time());
        guests.take(&list(&[]));
        assert!(!guests.is_time(), "not again at once");
        sample.clients = 10;
        sample.rejected = 1;
        guests.weigh(&sample);
        assert!(guests.wanted);
        guests.weigh(&sample);
        assert!(!guests.wanted);
        sample.connections += 100_000;
        guests.weigh(&sample);
        assert!(guests.is_time() && guests.is_worth_glances());
    }
}
