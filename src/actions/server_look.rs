//! One look at a backend of a HAProxy, before and after an act. Pure.

use crate::dial::HaproxyTable;
use crate::model::{ServerChange, Timestamp};

/// One backend, as its proxy tells it.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    /// The process that told it: after a reload it is another one.
    pid: String,
    /// The proxy's own clock; the epoch where it does not tell (before 2.5).
    pub(super) at: Timestamp,
    pub(super) servers: Vec<Standing>,
}

/// How one server stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    name: String,
    pub(super) address: String,
    pub(super) status: String,
    weight: u16,
    pub(super) in_flight: u64,
    queue: u64,
    backup: bool,
}

impl Look {
    /// Reads the answer to `show info;show stat`; `None` where it has no such backend.
    pub(super) fn read(answer: &str, backend: &str) -> Option<Self> {
        let at = answer.find("\n# pxname,").map(|at| at + 1)?;
        let (info, table) = answer.split_at(at);
        let field = |name: &str| {
            info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::trim)
        };
        let seconds = |name: &str| field(name).and_then(|text| text.parse::<i64>().ok());
        let now = seconds("Start_time_sec").zip(seconds("Uptime_sec")).map(|(start, up)| start + up);
        let mut look = Self {
            pid: field("Pid").unwrap_or_default().to_owned(),
            at: Timestamp::from_micros(now.unwrap_or(0).saturating_mul(1_000_000)),
            servers: Vec::new(),
        };
        HaproxyTable::new(table)?.rows(|row| {
            if row.number("type") != Some(2) || row.text("pxname") != Some(backend) {
                return;
            }
            let weight = row.number("uweight").or_else(|| row.number("weight")).unwrap_or(0);
            look.servers.push(Standing {
                name: row.text("svname").unwrap_or_default().to_owned(),
                address: row.text("addr").unwrap_or("an address that is not told").to_owned(),
                status: row.text("status").unwrap_or_default().to_owned(),
                weight: u16::try_from(weight).unwrap_or(u16::MAX),
                in_flight: row.number("scur").unwrap_or(0),
                queue: row.number("qcur").unwrap_or(0),
                backup: row.number("bck") == Some(1),
            });
        });
        (!look.servers.is_empty()).then_some(look)
    }

    pub(super) fn find(&self, server: &str) -> Option<&Standing> {
        self.servers.iter().find(|it| it.name == server)
    }

    /// Other servers that take new requests, spares included.
    pub(super) fn takers_beside(&self, server: &str) -> usize {
        self.servers.iter().filter(|it| it.name != server && it.takes()).count()
    }

    /// Changes when the process, the server's state or the number of those that are left does.
    pub(super) fn identity(&self, one: &Standing, left: usize) -> String {
        format!("{} {} {} {} {left}", self.pid, one.name, one.status, one.weight)
    }
}

impl Standing {
    /// Whether it takes new requests.
    pub(super) fn takes(&self) -> bool {
        (self.status.starts_with("UP") || self.status.starts_with("no check")) && self.weight > 0
    }

    /// Whether it is already as wanted.
    pub(super) fn is(&self, to: ServerChange) -> bool {
        let drained = self.status.starts_with("DRAIN");
        let out = self.status.starts_with("MAINT");
        match to {
            ServerChange::Ready | ServerChange::Healthy => !drained && !out,
            ServerChange::Drain => drained,
            ServerChange::Maintenance => out,
            ServerChange::Weight(weight) => self.weight == weight,
        }
    }

    /// What brings it back to where it is.
    pub(super) fn back(&self, to: ServerChange) -> ServerChange {
        match to {
            ServerChange::Weight(_) => ServerChange::Weight(self.weight),
            _ if self.status.starts_with("MAINT") => ServerChange::Maintenance,
            _ if self.status.starts_with("DRAIN") => ServerChange::Drain,
            _ => ServerChange::Ready,
        }
    }

    /// `UP, weight 100, 12 in flight, 3 wait for it`.
    pub(super) fn told(&self) -> String {
        let spare = if self.backup { ", a spare" } else { "" };
        let wait = if self.queue > 0 { format!(", {} wait for it", self.queue) } else { String::new() };
        format!("{}{spare}, weight {}, {} in flight{wait}", self.status, self.weight, self.in_flight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    #[test]
    fn torn_answers_are_read_or_refused() {
        let whole = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/haproxy/2.6/show_info_stat.txt"
        ));
        assert!(Look::read(whole, "app").is_some_and(|look| look.servers.len() == 3));
        each_torn_text(whole, |torn| {
            let Some(look) = Look::read(torn, "app") else { return };
            look.servers.iter().for_each(|it| drop((it.told(), look.identity(it, 1))));
        });
    }
}
