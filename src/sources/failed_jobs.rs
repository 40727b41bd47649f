//! Which jobs failed for good, told by what they are and what went wrong; never by their arguments or messages.
//! A few of the newest are looked at, and only after there were more or fewer of them.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::heads::QUEUES;
use crate::model::{FailedJobs, SafeText};

/// Of each queue, the newest of its failed jobs that are looked at.
pub(super) const LOOKED_AT: isize = 8;
/// Queues whose failed jobs are looked at in one poll.
const AT_ONCE: usize = 8;
/// As long as a queue's failed jobs are not looked at again.
const REST: Duration = Duration::from_secs(5);
/// Longest name that is one.
const LONGEST: usize = 120;

/// What is known of the failed jobs of each queue; the queue without a name is all of them together.
#[derive(Default)]
pub(super) struct Failed {
    known: HashMap<String, Known>,
    wanted: BTreeSet<String>,
}

#[derive(Default)]
struct Known {
    count: u64,
    looked: Option<Instant>,
    jobs: Vec<FailedJobs>,
}

impl Failed {
    /// Begins a poll whose questions were written: what was wanted has been asked.
    pub(super) fn begin(&mut self) {
        self.wanted.clear();
        if self.known.len() > 2 * QUEUES {
            self.known.clear();
        }
    }

    /// Whether the next poll is to look at this queue's failed jobs.
    pub(super) fn wants(&self, queue: &str) -> bool {
        self.wanted.contains(queue)
    }

    /// Notes how many there are now, and tells what is known of them.
    pub(super) fn count(&mut self, queue: &str, count: Option<u64>) -> Vec<FailedJobs> {
        let Some(count) = count.filter(|count| *count > 0) else {
            self.known.remove(queue);
            return Vec::new();
        };
        let known = self.known.entry(queue.to_owned()).or_default();
        let rested = known.looked.is_none_or(|at| at.elapsed() >= REST);
        if known.count != count && rested && self.wanted.len() < AT_ONCE {
            self.wanted.insert(queue.to_owned());
        }
        known.jobs.clone()
    }

    /// Keeps what was seen of `count` of them: the name of each, and its error.
    pub(super) fn take(
        &mut self,
        queue: &str,
        count: u64,
        seen: impl Iterator<Item = (String, String)>,
    ) -> Vec<FailedJobs> {
        let mut jobs: Vec<FailedJobs> = Vec::new();
        for (name, error) in seen {
            let (name, error) = (SafeText::new(&name), SafeText::new(&error));
            match jobs.iter_mut().find(|it| it.name == name && it.error == error) {
                Some(same) => same.count += 1,
                None => jobs.push(FailedJobs { name, error, count: 1 }),
            }
        }
        jobs.sort_by_key(|it| std::cmp::Reverse(it.count));
        let known = Known { count, looked: Some(Instant::now()), jobs: jobs.clone() };
        self.known.insert(queue.to_owned(), known);
        jobs
    }
}

/// A name as programs have it, else nothing: what an operator wrote there may hold anything.
pub(super) fn name(text: &str) -> Option<String> {
    let fits = |c: char| c.is_alphanumeric() || "_.:$/\\-<>".contains(c);
    (!text.is_empty() && text.len() <= LONGEST && text.chars().all(fits)).then(|| text.to_owned())
}

/// The class of an error, from a line such as `ValueError: no such user`.
pub(super) fn class(line: &str) -> String {
    let before = line.split([':', '\n', ' ']).next().unwrap_or_default();
    // A module of Ruby's or PHP's: `Net::ReadTimeout`.
    let whole = line.split(['\n', ' ']).next().unwrap_or_default().trim_end_matches(':');
    let told = if whole.contains("::") { whole } else { before };
    name(told).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_class_are_told_and_nothing_of_what_they_were_about() {
        assert_eq!(class("ValueError: user 7 of a@b.c is unknown"), "ValueError");
        assert_eq!(class("Net::ReadTimeout: Net::ReadTimeout with #<TCPSocket>"), "Net::ReadTimeout");
        assert_eq!(class("TypeError: no\n    at Worker (x.js)"), "TypeError");
        assert_eq!(class("it's secret, really"), "");
        assert_eq!(name("app.mail.send"), Some("app.mail.send".into()));
        assert_eq!(name("send mail to a@b.c"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn they_are_looked_at_when_their_number_changed_and_not_too_often() {
        let mut failed = Failed::default();
        let look = |failed: &mut Failed, count| {
            failed.begin();
            failed.count("mail", Some(count));
            failed.wants("mail")
        };
        assert!(look(&mut failed, 3));
        let seen = ["A", "B", "A"].map(|name| (name.to_owned(), "E".to_owned()));
        let told = failed.take("mail", 3, seen.into_iter());
        assert_eq!((told[0].name.as_str(), told[0].count, told.len()), ("A", 2, 2));
        assert!(!look(&mut failed, 3) && !look(&mut failed, 4), "just looked");
        tokio::time::advance(REST).await;
        assert!(look(&mut failed, 4) && !look(&mut failed, 3));
        assert_eq!(failed.count("mail", Some(3)), told);
        assert!(failed.count("mail", Some(0)).is_empty());
    }
}
