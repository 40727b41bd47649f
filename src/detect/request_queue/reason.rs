//! Why requests wait behind a proxy: its servers answer later than they usually do, or more is asked of
//! them. How long a request is in work follows from how many are in work and how many come a second
//! (Little's law), so nothing need be told by the app.

use std::time::Duration;

use crate::detect::View;
use crate::model::TargetId;
use crate::model::words::span;
use crate::store::{Metric, Ring};

/// What is usual is judged by the points older than this,
const RECENT: Duration = Duration::from_secs(15);
/// and by so many at least.
const ENOUGH: usize = 20;
/// One of so many of the usual points is left out, the worst: they belong to the last trouble.
const WORST: usize = 10;
/// Requests in work below which a moment says nothing.
const TOO_FEW: f64 = 4.0;
/// So many times the usual is out of the ordinary.
const LATER: f64 = 2.0;
const MORE: f64 = 1.5;
/// Fewer seen in work over all that is usual tell nothing of how long an answer takes.
const TOO_FEW_SEEN: f64 = 10.0;
/// Later by less, in seconds, is nothing that a queue grows from.
const LATER_BY: f64 = 0.01;

/// Why they wait, and what somebody could do about it.
#[derive(Debug, PartialEq)]
pub(super) struct Reason {
    pub(super) says: String,
    pub(super) mend: &'static str,
}

/// Why requests wait at a backend of which `busy` is the share of its slots in use, and for which so many wait
/// outside of the proxy, in work to it; `None` where the figures tell no reason.
pub(super) fn reason(view: &View<'_>, row: &TargetId, busy: Option<f64>, outside: f64) -> Option<Reason> {
    let in_work = view.store.course(row, Metric::InFlight)?;
    let rate = view.store.course(row, Metric::Throughput)?;
    let now = |ring: &Ring| ring.last().and_then(|(_, value)| value);
    let before = view.now.minus(RECENT);
    let usual = |ring: &Ring| {
        let old = ring.points().filter(|(at, _)| *at <= before);
        let old: Vec<f64> = old.filter_map(|(_, value)| value).collect();
        (old.iter().sum::<f64>(), usual(old))
    };
    let (seen, in_work_usually) = usual(in_work);
    let usual = Usual { in_work: in_work_usually.filter(|_| seen >= TOO_FEW_SEEN), rate: usual(rate).1 };
    weigh(Moment { in_work: now(in_work)?, outside, rate: now(rate)?, busy }, usual)
}

/// What is usual, where enough is known of it.
#[derive(Clone, Copy, Debug, Default)]
struct Usual {
    /// Requests in work.
    in_work: Option<f64>,
    /// Requests a second.
    rate: Option<f64>,
}

/// What goes on now.
#[derive(Clone, Copy, Debug)]
struct Moment {
    /// Requests in work.
    in_work: f64,
    /// Of these, how many the app has not begun.
    outside: f64,
    /// Requests a second.
    rate: f64,
    /// Share of the slots in use.
    busy: Option<f64>,
}

/// Judges a moment against the usual requests in work and a second.
fn weigh(now: Moment, usual: Usual) -> Option<Reason> {
    if now.in_work < TOO_FEW || now.rate <= 0.0 {
        return None;
    }
    let takes = (now.in_work - now.outside).max(0.0) / now.rate;
    if let Some(rate) = usual.rate.filter(|rate| *rate > 0.0) {
        let usually = usual.in_work.map(|in_work| in_work / rate);
        if let Some(usually) = usually.filter(|it| takes > it * LATER && takes > it + LATER_BY) {
            return Some(Reason {
                says: format!("an answer takes {}, usually {}", span(takes), span(usually)),
                mend: "see what the app waits for, or undo its last change",
            });
        }
        if now.rate > rate * MORE {
            return Some(Reason {
                says: format!("{:.1} times the usual requests", now.rate / rate),
                mend: "add servers, or turn some of them away",
            });
        }
    }
    now.busy.filter(|busy| *busy >= 0.99).map(|_| Reason {
        says: format!("all slots are taken, an answer takes {}", span(takes)),
        mend: "add servers or slots, or make the app answer sooner",
    })
}

/// The mean of what is usual; `None` where too little is known.
fn usual(mut values: Vec<f64>) -> Option<f64> {
    if values.len() < ENOUGH {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    values.truncate(values.len() - values.len() / WORST);
    Some(values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(in_work: f64, rate: f64, usual: Option<(f64, f64)>) -> Option<String> {
        outside(in_work, 0.0, rate, usual)
    }

    fn outside(in_work: f64, outside: f64, rate: f64, usual: Option<(f64, f64)>) -> Option<String> {
        let usual = Usual { in_work: usual.map(|it| it.0), rate: usual.map(|it| it.1) };
        weigh(Moment { in_work, outside, rate, busy: Some(in_work / 32.0) }, usual).map(|it| it.says)
    }

    #[test]
    fn what_waits_before_the_app_is_no_part_of_its_answer() {
        // Two workers of 24 ms, twelve clients instead of one.
        let usual = Some((0.2, 8.0));
        assert_eq!(outside(12.0, 10.0, 83.0, usual).as_deref(), Some("10.4 times the usual requests"));
        let unseen = Usual { in_work: None, rate: Some(8.0) };
        let rush = Moment { in_work: 12.0, outside: 0.0, rate: 83.0, busy: None };
        let says = weigh(rush, unseen).map(|it| it.says);
        assert_eq!(says.as_deref(), Some("10.4 times the usual requests"), "too few were seen in work");
    }

    #[test]
    fn a_slow_app_and_a_rush_are_told_apart() {
        let usual = Some((0.5, 60.0));
        assert_eq!(told(32.0, 46.0, usual).as_deref(), Some("an answer takes 696 ms, usually 8 ms"));
        assert_eq!(told(9.0, 180.0, Some((3.0, 60.0))).as_deref(), Some("3.0 times the usual requests"));
        assert_eq!(
            told(32.0, 64.0, Some((30.0, 60.0))).as_deref(),
            Some("all slots are taken, an answer takes 500 ms")
        );
        assert_eq!(told(32.0, 64.0, None).as_deref(), Some("all slots are taken, an answer takes 500 ms"));
    }

    #[test]
    fn a_moment_of_few_requests_gives_no_reason() {
        assert_eq!(told(2.0, 1.0, Some((0.5, 60.0))), None);
        assert_eq!(told(20.0, 0.0, Some((0.5, 60.0))), None);
        assert_eq!(told(20.0, 64.0, None), None);
    }

    #[test]
    fn the_last_trouble_is_not_the_usual() {
        let mut values = vec![1.0; 90];
        values.extend([400.0; 10]);
        assert_eq!(usual(values), Some(1.0));
        assert_eq!(usual(vec![1.0; 10]), None, "too little is known");
    }
}
