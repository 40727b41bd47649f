//! The lines HAProxy logs of requests and connections (`option httplog`, `option tcplog`), added up by
//! backend over about ten seconds. Pure: it is told what came, and when.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::spread::Counts;
use crate::model::LoggedTimes;

/// How long a line counts, and in what steps it is forgotten.
const WINDOW: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_secs(1);
/// Most backends kept apart; lines of those behind are counted as left out.
const MOST: usize = 500;

/// What one line tells.
#[derive(Debug, PartialEq, Eq)]
struct Line<'l> {
    backend: &'l str,
    /// In the proxy's queue, ms; `None` when it never came so far.
    wait: Option<u32>,
    /// From the request sent to the answer's head, ms.
    answer: Option<u32>,
    /// Ended while it waited in the queue: timed out, or the client gave up.
    gave_up: bool,
}

/// What came lately.
#[derive(Debug, Default)]
pub(super) struct RequestLog {
    now: Step,
    before: VecDeque<(Instant, Step)>,
    began: Option<Instant>,
}

/// What came in one step of the window.
#[derive(Debug, Default)]
struct Step {
    backends: BTreeMap<String, Times>,
    lines: u64,
    foreign: u64,
    left_out: u64,
    /// Requests that HAProxy counted.
    asked: u64,
}

#[derive(Debug, Default)]
struct Times {
    wait: Counts,
    answer: Counts,
    gave_up: u64,
}

/// How many lines came over the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Came {
    /// All of them.
    pub(super) lines: u64,
    /// Of these, lines of another format.
    pub(super) foreign: u64,
    /// Of these, lines of backends over the most.
    pub(super) left_out: u64,
    /// Requests that HAProxy counted itself.
    pub(super) asked: u64,
}

/// Fewer requests are no proof that lines are lacking: what is under way is logged later.
const ENOUGH: u64 = 1_000;

impl Came {
    /// The share of requests with a line, where clearly not each has one.
    pub(super) fn lacking(&self) -> Option<f64> {
        let share = self.lines as f64 / self.asked.max(1) as f64;
        (self.asked >= ENOUGH && share < 0.9).then_some(share)
    }
}

impl RequestLog {
    /// Takes one line in.
    pub(super) fn add(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        self.now.lines += 1;
        let Some(line) = parse(line) else {
            self.now.foreign += 1;
            return;
        };
        if !self.now.backends.contains_key(line.backend) {
            if self.now.backends.len() >= MOST {
                self.now.left_out += 1;
                return;
            }
            self.now.backends.insert(line.backend.to_owned(), Times::default());
        }
        let Some(times) = self.now.backends.get_mut(line.backend) else { return };
        line.wait.into_iter().for_each(|ms| times.wait.add(ms));
        line.answer.into_iter().for_each(|ms| times.answer.add(ms));
        times.gave_up += u64::from(line.gave_up);
    }

    /// Counts a line that was too long to be one.
    pub(super) const fn add_foreign(&mut self) {
        self.now.lines += 1;
        self.now.foreign += 1;
    }

    /// HAProxy counted so many requests since it was last asked.
    pub(super) const fn asked(&mut self, requests: u64) {
        self.now.asked = self.now.asked.saturating_add(requests);
    }

    /// Forgets what is older than the window.
    pub(super) fn turn(&mut self, now: Instant) {
        let began = *self.began.get_or_insert(now);
        if now.saturating_duration_since(began) >= STEP {
            self.before.push_back((began, std::mem::take(&mut self.now)));
            self.began = Some(now);
        }
        let old = |began: Instant| now.saturating_duration_since(began) > WINDOW;
        while self.before.front().is_some_and(|(began, _)| old(*began)) {
            self.before.pop_front();
        }
    }

    fn steps(&self) -> impl Iterator<Item = &Step> {
        self.before.iter().map(|(_, step)| step).chain([&self.now])
    }

    /// How many lines came over the window.
    pub(super) fn came(&self) -> Came {
        self.steps().fold(Came::default(), |sum, step| Came {
            lines: sum.lines + step.lines,
            foreign: sum.foreign + step.foreign,
            left_out: sum.left_out + step.left_out,
            asked: sum.asked.saturating_add(step.asked),
        })
    }

    /// What is known of a backend's requests over the window; `None` when none was logged.
    pub(super) fn of(&self, backend: &str) -> Option<LoggedTimes> {
        let mut all = Times::default();
        for times in self.steps().filter_map(|step| step.backends.get(backend)) {
            all.wait.merge(&times.wait);
            all.answer.merge(&times.answer);
            all.gave_up += times.gave_up;
        }
        let wait = all.wait.spread()?;
        Some(LoggedTimes { wait, answer: all.answer.spread(), gave_up: all.gave_up })
    }
}

/// Finds `backend/server` and, right behind it, the times: `TR/Tw/Tc/Tr/Ta` of a request or `Tw/Tc/Tt` of a
/// connection. All of the line before and behind may be as it likes, a header of syslog included.
fn parse(line: &str) -> Option<Line<'_>> {
    let mut words = line.split_ascii_whitespace();
    let mut before = words.next()?;
    for word in words.by_ref() {
        if let Some(times) = times(word)
            && let Some((backend, _server)) = before.split_once('/').filter(|(name, _)| !name.is_empty())
        {
            let flags = words.find(|word| word.len() == 4 && !word.as_bytes()[0].is_ascii_digit());
            let gave_up = flags.is_some_and(|flags| flags.as_bytes()[1] == b'Q' && flags != "----");
            let (wait, answer) = times;
            return Some(Line { backend, wait, answer, gave_up });
        }
        before = word;
    }
    None
}

/// Wait and answer of a word like `0/12/0/20/33`; `-1` is a time that never came.
fn times(word: &str) -> Option<(Option<u32>, Option<u32>)> {
    let mut parts = [None; 5];
    let mut count = 0;
    for part in word.split('/') {
        // A line logged before the end of its request marks the last time with a plus.
        let number: i64 = part.trim_start_matches('+').parse().ok()?;
        *parts.get_mut(count)? = u32::try_from(number).ok();
        count += 1;
    }
    match count {
        5 => Some((parts[1], parts[3])),
        3 => Some((parts[0], None)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    const HTTP: &str = "127.0.0.1:46748 [21/Nov/2026:13:17:31.337] front~ app/web1 0/21/1/20/42 200 116 - - ---- \
                        4/4/3/1/0 0/1 \"GET /a/b/1/2/3 HTTP/1.1\"";
    const DIED: &str = "<134>Nov 21 13:17:31 haproxy[7]: 127.0.0.1:1 [21/Nov/2026:13:17:31.337] front \
                        app/<NOSRV> 0/1000/-1/-1/1000 503 217 - - sQ-- 4/4/3/1/0 0/50 \"GET / HTTP/1.1\"";
    const TCP: &str = "127.0.0.1:4 [21/Nov/2026:13:17:31.337] front db/one 7/0/5000 212 -- 1/1/0/0/0 0/0";

    #[test]
    fn both_formats_are_read_and_what_died_in_the_queue_is_told() {
        let line = |backend, wait, answer, gave_up| Some(Line { backend, wait, answer, gave_up });
        assert_eq!(parse(HTTP), line("app", Some(21), Some(20), false));
        assert_eq!(parse(DIED), line("app", Some(1000), None, true));
        assert_eq!(parse(TCP), line("db", Some(7), None, false));
        let never = HTTP.replace("0/21/1/20/42", "-1/-1/-1/-1/5");
        assert_eq!(parse(&never), line("app", None, None, false));
        for foreign in ["", "Proxy front started.", "127.0.0.1:1 [x] front app/web1 GET / 1/2/3/4/5"] {
            assert_eq!(parse(foreign), None, "{foreign}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_window_ends_and_stays_bounded() {
        let mut log = RequestLog::default();
        for _ in 0..40 {
            log.turn(Instant::now());
            (0..5).for_each(|_| log.add(HTTP));
            log.add("something else");
            tokio::time::advance(Duration::from_millis(500)).await;
        }
        assert!((9..=11).contains(&log.before.len()), "{}", log.before.len());
        let app = log.of("app").expect("it was logged");
        assert!((90..=120).contains(&app.wait.count), "{app:?}");
        assert!(log.came().foreign >= 18);
        log.turn(Instant::now() + WINDOW * 2);
        log.turn(Instant::now() + WINDOW * 4);
        assert_eq!((log.of("app"), log.came()), (None, Came::default()));
        for n in 0..MOST + 5 {
            log.add(&HTTP.replace("app/", &format!("app{n}/")));
        }
        assert_eq!(log.came().left_out, 5);
    }

    #[test]
    fn torn_lines_are_read_or_passed_over() {
        let mut log = RequestLog::default();
        for line in [HTTP, DIED, TCP] {
            each_torn_text(line, |torn| log.add(torn));
        }
        log.of("app");
    }
}
