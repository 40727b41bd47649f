//! Keeps a severity steady: raised only after its hold time, lowered only below the leaving limit.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Assessment;
use crate::model::{Resource, Severity, TargetId, Timestamp};

/// How long a value must stay below the leaving limit before the all-clear.
const CALM: Duration = Duration::from_secs(2);

/// What is remembered of one rule on one target.
#[derive(Clone, Copy, Debug)]
struct Held {
    severity: Severity,
    since: Timestamp,
    warning_from: Option<Timestamp>,
    critical_from: Option<Timestamp>,
    unknown_from: Option<Timestamp>,
    calm_from: Option<Timestamp>,
    seen: Timestamp,
}

/// The memory of the judge.
#[derive(Clone, Debug, Default)]
pub(super) struct Steady {
    /// Only a few looks are taken: a level counts as the last of them read it.
    brief: bool,
    held: BTreeMap<(&'static str, Resource, TargetId), Held>,
}

impl Steady {
    /// A memory for a few looks.
    pub(super) fn brief() -> Self {
        Self { brief: true, ..Self::default() }
    }

    /// The severity that counts now, and since when.
    pub(super) fn settle(&mut self, it: &Assessment, now: Timestamp) -> (Severity, Timestamp) {
        let began = now.minus(it.proven);
        let held = self.held.entry((it.rule, it.resource, it.target.clone())).or_insert(Held {
            severity: Severity::Ok,
            since: now,
            warning_from: None,
            critical_from: None,
            unknown_from: None,
            calm_from: None,
            seen: now,
        });
        held.seen = now;
        let track = |from: &mut Option<Timestamp>, holds: bool| match (holds, *from) {
            (true, None) => *from = Some(began),
            (true, Some(known)) => *from = Some(known.min(began)),
            (false, _) => *from = None,
        };
        track(&mut held.warning_from, it.entered >= Severity::Warning);
        track(&mut held.critical_from, it.entered >= Severity::Critical);
        track(&mut held.unknown_from, it.entered == Severity::Unknown);
        let ripe = |from: Option<Timestamp>| from.is_some_and(|from| now.since(from) >= it.hold);
        let raised = if ripe(held.critical_from) {
            Severity::Critical
        } else if ripe(held.warning_from) {
            Severity::Warning
        } else if ripe(held.unknown_from) {
            Severity::Unknown
        } else {
            Severity::Ok
        };
        if raised > held.severity {
            if held.severity < Severity::Warning {
                held.since = [held.warning_from, held.critical_from, held.unknown_from]
                    .into_iter()
                    .flatten()
                    .min()
                    .unwrap_or(now);
            }
            held.severity = raised;
            held.calm_from = None;
        } else if it.kept.max(raised) < held.severity {
            let calm = *held.calm_from.get_or_insert(now);
            if now.since(calm) >= CALM {
                held.severity = it.kept.max(raised);
                held.since = now;
                held.calm_from = None;
            }
        } else {
            held.calm_from = None;
        }
        if self.brief && it.level > held.severity {
            return (it.level, began);
        }
        (held.severity, held.since)
    }

    /// Forgets rules that no longer speak of a target (a queue that is gone).
    pub(super) fn forget(&mut self, now: Timestamp) {
        self.held.retain(|_, held| held.seen == now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;

    fn at(tenths: i64) -> Timestamp {
        Timestamp::from_micros(1_000_000_000 + tenths * 100_000)
    }

    fn cpu(busy: f64) -> Assessment {
        Assessment::new("cpu", Resource::HostCpu, TargetId::parse("db1").expect("legal"))
            .measured(busy, Limits::new(0.7, 0.9))
            .hold(Duration::from_secs(2))
    }

    #[test]
    fn a_spike_is_not_a_finding_and_a_wobble_does_not_flap() {
        let mut steady = Steady::default();
        assert_eq!(steady.settle(&cpu(0.95), at(0)).0, Severity::Ok);
        assert_eq!(steady.settle(&cpu(0.30), at(10)).0, Severity::Ok);
        assert_eq!(steady.settle(&cpu(0.95), at(20)).0, Severity::Ok);
        assert_eq!(steady.settle(&cpu(0.95), at(40)), (Severity::Critical, at(20)));
        // Under the limit but not under nine tenths of it: still critical.
        assert_eq!(steady.settle(&cpu(0.85), at(100)).0, Severity::Critical);
        assert_eq!(steady.settle(&cpu(0.10), at(110)).0, Severity::Critical);
        assert_eq!(steady.settle(&cpu(0.10), at(130)), (Severity::Ok, at(130)));
    }

    #[test]
    fn a_level_counts_at_once_where_few_looks_are_taken_and_only_there() {
        let full = cpu(0.95).level();
        assert_eq!(Steady::default().settle(&full, at(0)).0, Severity::Ok);
        let mut brief = Steady::brief();
        assert_eq!(brief.settle(&full, at(0)), (Severity::Critical, at(0)));
        assert_eq!(brief.settle(&cpu(0.50).level(), at(10)).0, Severity::Ok);
        let unseen = cpu(0.0).unknown("the role may not see it");
        assert_eq!(Steady::brief().settle(&unseen, at(0)).0, Severity::Unknown);
        // What a rate adds to a level waits as ever.
        let stalls = cpu(0.75).level().at_least(Severity::Critical);
        assert_eq!(Steady::brief().settle(&stalls, at(0)).0, Severity::Warning);
    }

    #[test]
    fn what_the_server_proves_counts_at_once() {
        let mut steady = Steady::default();
        let (severity, since) = steady.settle(&cpu(0.95).proven(60.0), at(0));
        assert_eq!((severity, since), (Severity::Critical, at(-600)));
    }
}
