//! Where a gentle sweep runs when the server is on the same machine: there it competes for processors with
//! the server and with those who wait for it, and must lose. Measured beside such a server on two
//! processors: with it a client's usual request waited 0.16 ms, without it 0.45.

use std::time::Duration;

use rustix::process::{getpriority_process, setpriority_process};
use rustix::thread::{CpuSet, gettid, sched_getaffinity, sched_getcpu, sched_setaffinity};
use tokio::time::Instant;

/// From one choice of the processor to the next: what was idle may have become busy.
const KEPT: Duration = Duration::from_secs(1);
/// Long enough for the system to move the thread to a processor that is idle.
const MOVE: Duration = Duration::from_micros(60);
/// Time over which is looked whether a thread gets on.
const WATCHED: Duration = Duration::from_millis(500);
/// Share of that time spent waiting for a processor from which a thread starves.
const STARVING: f64 = 0.6;

/// How far a thread steps back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::actions) enum Row {
    /// As far as there is: whoever else wants to run goes first. Beside programs that never rest it starves:
    /// with six of them on two processors 380 keys a second were left to it.
    Last,
    /// Only so far that it still gets on there: 18 000, of 20 000 without stepping back.
    Middle,
}

impl Row {
    const fn nice(self) -> i32 {
        match self {
            Self::Last => 19,
            Self::Middle => 5,
        }
    }
}

/// The processor the calling thread stays on. The thread must end with the sweep: it stays back for ever.
pub(in crate::actions) struct Seat {
    allowed: CpuSet,
    chosen: Option<Instant>,
    /// Only who sits in the last row can be helped.
    hunger: Option<Hunger>,
}

impl Seat {
    /// Makes the calling thread give way to others; `None` where the system knows no such thing.
    pub(super) fn take(row: Row) -> Option<Self> {
        let thread = Some(gettid());
        // Who stands further back already stays there.
        setpriority_process(thread, row.nice().max(getpriority_process(thread).ok()?)).ok()?;
        let allowed = sched_getaffinity(None).ok()?;
        let hunger = (row == Row::Last).then(Hunger::default);
        Some(Self { allowed, chosen: None, hunger })
    }

    /// Stays on one processor, for a server and a sweep that take turns need only one, and each move to
    /// another pushes somebody aside. Call it often; it chooses anew once a second.
    pub(super) fn keep(&mut self, now: Instant) {
        if self.chosen.is_some_and(|at| now.duration_since(at) < KEPT) {
            return;
        }
        self.chosen = Some(now);
        // A refusal leaves things as they are, and they are right either way.
        sched_setaffinity(None, &self.allowed).ok();
        std::thread::sleep(MOVE);
        let mut one = CpuSet::new();
        let number = sched_getcpu();
        if number < CpuSet::MAX_CPU {
            one.set(number);
            sched_setaffinity(None, &one).ok();
        }
    }

    /// Whether the calling thread is hardly let run, and would be from further to the front. Call it often;
    /// it looks twice a second.
    pub(super) fn starves(&mut self, now: Instant) -> bool {
        self.hunger.as_mut().is_some_and(|hunger| {
            hunger.is_due(now)
                // A system that does not tell: then better in front than starved unseen.
                && waited().is_none_or(|waited| hunger.after(waited, now))
        })
    }
}

/// How long the calling thread has waited for a processor since it began.
fn waited() -> Option<Duration> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    told.split_ascii_whitespace().nth(1)?.parse().ok().map(Duration::from_nanos)
}

/// How long a thread waits, from one look to the next.
#[derive(Debug, Default)]
struct Hunger {
    last: Option<(Instant, Duration)>,
}

impl Hunger {
    fn is_due(&self, now: Instant) -> bool {
        self.last.is_none_or(|(at, _)| now.duration_since(at) >= WATCHED)
    }

    /// Takes in how long it has waited in all; whether it waited most of the time since the last look.
    fn after(&mut self, waited: Duration, now: Instant) -> bool {
        let Some((at, before)) = self.last.replace((now, waited)) else { return false };
        waited.saturating_sub(before).as_secs_f64() > STARVING * now.duration_since(at).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_with_a_seat_steps_back_and_stays_on_one_processor_of_those_it_may_use() {
        let nice = || getpriority_process(Some(gettid())).expect("its priority");
        let before = nice();
        for row in [Row::Last, Row::Middle] {
            let seen = std::thread::spawn(move || {
                let mut seat = Seat::take(row).expect("Linux has it");
                let allowed = seat.allowed;
                seat.keep(Instant::now());
                let now = sched_getaffinity(None).expect("its processors");
                let within = (0..CpuSet::MAX_CPU).all(|cpu| !now.is_set(cpu) || allowed.is_set(cpu));
                (now.count(), within, nice())
            });
            assert_eq!(seen.join().expect("no panic"), (1, true, row.nice().max(before)));
        }
        assert_eq!(nice(), before);
    }

    #[test]
    fn who_waits_most_of_the_time_starves_and_who_runs_or_sleeps_does_not() {
        let begin = Instant::now();
        let ms = Duration::from_millis;
        let mut hunger = Hunger::default();
        assert!(hunger.is_due(begin));
        assert!(!hunger.after(ms(9_000), begin), "what was before tells nothing");
        assert!(!hunger.is_due(begin + ms(499)));
        assert!(hunger.is_due(begin + ms(500)));
        assert!(!hunger.after(ms(9_200), begin + ms(500)), "two fifths");
        assert!(hunger.after(ms(9_900), begin + ms(1_500)), "seven tenths");
        assert!(waited().is_some(), "the system tells");
    }
}
