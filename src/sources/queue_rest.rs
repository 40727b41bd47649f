//! Which of many queues rest. One whose signs are as they were is asked for its signs only, and what else was
//! read of it holds for a few polls more; a queue whose signs changed is asked everything at once.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use redis::{Pipeline, Value};
use tokio::time::Instant;

use super::heads::ServerClock;
use super::queue_layout::Layout;

/// As long as there are no more queues than this, each is asked everything at every poll.
const FEW: usize = 50;
/// Every so many polls a queue that rests is asked everything all the same, each in its turn.
const TURNS: usize = 8;
/// What was read holds no longer than this, however rarely is polled.
const HOLDS: Duration = Duration::from_secs(20);

/// What was last read of each queue.
#[derive(Default)]
pub(super) struct Rests {
    known: HashMap<String, Known>,
    many: bool,
    poll: usize,
}

/// Everything that was asked of a queue, its signs first.
struct Known {
    answers: Vec<Value>,
    read: Instant,
    /// Jobs waited.
    waits: bool,
    /// Its signs had changed.
    busy: bool,
}

/// What one queue was asked, and where the answers stand.
pub(super) struct Asked {
    at: Range<usize>,
    what: What,
}

#[derive(PartialEq)]
enum What {
    Signs,
    Everything,
    /// And something besides, this once.
    More,
}

/// What is known of one queue.
pub(super) struct Told {
    pub(super) answers: Vec<Value>,
    /// When that was read; `None`: just now.
    held: Option<Instant>,
    whole: bool,
}

impl Told {
    /// Just read.
    pub(super) fn fresh(answers: &[Value]) -> Self {
        Self { answers: answers.to_vec(), held: None, whole: true }
    }

    /// How long ago all but the signs was read, seconds.
    pub(super) fn held(&self) -> Option<f64> {
        self.held.map(|at| at.elapsed().as_secs_f64())
    }
}

impl Rests {
    /// Begins a poll: asks each queue for everything, or for its signs.
    pub(super) fn ask<L: Layout>(
        &mut self,
        layout: &L,
        names: &[String],
        clock: &ServerClock,
        script: &mut Pipeline,
    ) -> Vec<Asked> {
        self.many = L::SIGNS > 0 && names.len() > FEW;
        self.poll = self.poll.wrapping_add(1);
        if !self.many || self.known.len() > 2 * names.len() {
            self.known.clear();
        }
        let each = names.iter().enumerate().map(|(place, name)| {
            let from = script.len();
            let pressed = layout.presses(name);
            let what = match self.rests(place, name) {
                Some(waits) if !pressed => {
                    layout.ask_signs(name, waits, script);
                    What::Signs
                }
                _ => {
                    layout.ask_queue(name, clock, script);
                    if pressed { What::More } else { What::Everything }
                }
            };
            Asked { at: from..script.len(), what }
        });
        each.collect()
    }

    /// Whether the queue at this place is to be asked for its signs only, and if so whether jobs waited.
    fn rests(&self, place: usize, name: &str) -> Option<bool> {
        let known = self.known.get(name).filter(|known| !known.busy && known.read.elapsed() < HOLDS)?;
        let turn = place.wrapping_add(self.poll).is_multiple_of(TURNS);
        (self.many && !turn).then_some(known.waits)
    }

    /// What the answers tell of a queue; `None` when its signs changed and everything is to be asked.
    pub(super) fn told(&mut self, name: &str, asked: &Asked, answers: &[Value]) -> Option<Told> {
        let answers = answers.get(asked.at.clone()).unwrap_or_default();
        if asked.what != What::Signs {
            return Some(Told { whole: asked.what == What::Everything, ..Told::fresh(answers) });
        }
        if !self.known.get(name)?.answers.starts_with(answers) {
            return None;
        }
        let known = self.known.remove(name)?;
        Some(Told { answers: known.answers, held: Some(known.read), whole: true })
    }

    /// Keeps what is known of a queue for the polls to come.
    pub(super) fn keep<L: Layout>(&mut self, name: &str, told: Told, waits: bool) {
        if !self.many || !told.whole {
            self.known.remove(name);
            return;
        }
        let before = self.known.get(name).and_then(|known| known.answers.get(..L::SIGNS));
        let busy = before.is_some_and(|before| Some(before) != told.answers.get(..L::SIGNS));
        let read = told.held.unwrap_or_else(Instant::now);
        self.known.insert(name.to_owned(), Known { answers: told.answers, read, waits, busy });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TargetSpec;
    use crate::model::Queue;
    use crate::sources::queue_layout::{Head, Watch};

    /// Two signs, the second only where something waits, and a count.
    struct Three;

    impl Layout for Three {
        const RULE: &'static str = "";
        const SIGNS: usize = 2;

        fn of(_: &TargetSpec) -> Result<Self, String> {
            Ok(Self)
        }

        fn ask_signs(&self, _: &str, waits: bool, script: &mut Pipeline) {
            script.cmd("A");
            if waits {
                script.cmd("B");
            }
        }

        fn ask_queue(&self, name: &str, _: &ServerClock, script: &mut Pipeline) {
            self.ask_signs(name, true, script);
            script.cmd("C");
        }

        fn queue(&mut self, _: &str, _: &[Value], _: &mut Watch) -> Result<(Queue, Head), &'static str> {
            Err("not asked here")
        }
    }

    /// Commands and the age of the first queue's counts, over polls in which that queue answers `depth`.
    fn polls(count: usize, rests: &mut Rests, depth: impl Fn(usize) -> i64) -> Vec<(usize, Option<f64>)> {
        let names: Vec<String> = (0..count).map(|n| format!("q{n}")).collect();
        let polls = (0..10).map(|poll| {
            let mut script = redis::pipe();
            let asked = rests.ask(&Three, &names, &ServerClock::default(), &mut script);
            let answers = vec![Value::Int(depth(poll)); script.len()];
            let (mut first, mut commands) = (None, script.len());
            for (name, asked) in names.iter().zip(&asked) {
                let told = rests.told(name, asked, &answers).unwrap_or_else(|| {
                    commands += 3;
                    Told::fresh(&vec![Value::Int(depth(poll)); 3])
                });
                if name == "q0" {
                    first = told.held();
                }
                rests.keep::<Three>(name, told, depth(poll) > 0);
            }
            (commands, first)
        });
        polls.collect()
    }

    #[tokio::test(start_paused = true)]
    async fn only_one_of_many_that_does_not_change_rests_and_not_for_long() {
        let whole = |polls: &[(usize, Option<f64>)]| polls.iter().filter(|(_, held)| held.is_none()).count();
        assert_eq!(whole(&polls(FEW, &mut Rests::default(), |_| 3)), 10, "so few are no burden");
        let mut rests = Rests::default();
        let steady = polls(400, &mut rests, |_| 3);
        assert_eq!(whole(&steady), 2, "at first and in its turn: {steady:?}");
        assert_eq!((steady[0].0, steady[5].0), (1_200, 350 * 2 + 50 * 3));
        tokio::time::advance(HOLDS).await;
        assert_eq!(polls(400, &mut rests, |_| 3)[0], (1_200, None), "that long ago");
        assert_eq!(polls(400, &mut Rests::default(), |_| 0)[5].0, 350 + 50 * 3);
        let moving = polls(400, &mut Rests::default(), |poll| i64::try_from(poll).unwrap_or(0));
        assert_eq!(whole(&moving), 10);
        assert_eq!(moving[9].0, 1_200, "one known to move is asked everything in the first trip");
    }
}
