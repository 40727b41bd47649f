//! Where a gentle sweep runs when the server is on the same machine: there it competes for processors with
//! the server and with those who wait for it, and must lose. Measured beside such a server on two
//! processors: with it a client's usual request waited 0.16 ms, without it 0.45.

use std::time::Duration;

use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, gettid, sched_getaffinity, sched_getcpu, sched_setaffinity};
use tokio::time::Instant;

/// How far the thread steps back. Further is of no use to the server's clients: they wait as long (measured
/// from 0 to 19). And beside programs that never rest it would starve: with six of them on two processors, 19
/// left it 380 keys a second, this 18 000 and no stepping back 20 000.
const MODEST: i32 = 5;
/// From one choice of the processor to the next: what was idle may have become busy.
const KEPT: Duration = Duration::from_secs(1);
/// Long enough for the system to move the thread to a processor that is idle.
const MOVE: Duration = Duration::from_micros(60);

/// The processor the calling thread stays on. The thread must end with the sweep: it stays modest for ever.
pub(in crate::actions) struct Seat {
    allowed: CpuSet,
    chosen: Option<Instant>,
}

impl Seat {
    /// Makes the calling thread give way to others; `None` where the system knows no such thing.
    pub(super) fn modest() -> Option<Self> {
        setpriority_process(Some(gettid()), MODEST).ok()?;
        let allowed = sched_getaffinity(None).ok()?;
        Some(Self { allowed, chosen: None })
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_with_a_seat_is_modest_and_stays_on_one_processor_of_those_it_may_use() {
        let nice = || rustix::process::getpriority_process(Some(gettid())).expect("its priority");
        let before = nice();
        let seen = std::thread::spawn(move || {
            let mut seat = Seat::modest().expect("Linux has it");
            let allowed = seat.allowed;
            seat.keep(Instant::now());
            let now = sched_getaffinity(None).expect("its processors");
            let within = (0..CpuSet::MAX_CPU).all(|cpu| !now.is_set(cpu) || allowed.is_set(cpu));
            (now.count(), within, nice())
        });
        assert_eq!(seen.join().expect("no panic"), (1, true, MODEST));
        assert_eq!(nice(), before);
    }
}
