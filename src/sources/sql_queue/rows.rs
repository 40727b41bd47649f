//! From the rows of a statement to queues. A column that is not there is not known; one that nobody knows
//! is a mistake worth saying.

use serde_json::{Map, Value};

use crate::model::{Missing, NotedJob, Queue, QueueAge, QueueSample, SafeText, SharedCounts};

/// Every column a statement may give.
pub(super) const COLUMNS: &[&str] = &[
    "queue",
    "depth",
    "oldest",
    "in_flight",
    "orphaned",
    "scheduled",
    "overdue",
    "overdue_for",
    "retry",
    "dead",
    "added",
    "processed",
    "failed",
    "workers",
    "busy",
    "stale_workers",
    "paused",
    "longest_job",
    "longest_worker",
    "longest_running",
    "returning_job",
    "returning_tries",
    "capped",
];

/// The name of a queue whose statement names none.
const ONLY: &str = "default";

/// One row, its columns by name.
struct Row(Map<String, Value>);

impl Row {
    fn parse(text: &str) -> Result<Self, String> {
        match serde_json::from_str(text) {
            Ok(Value::Object(columns)) => match columns.keys().find(|key| !COLUMNS.contains(&key.as_str())) {
                None => Ok(Self(columns)),
                Some(strange) => {
                    Err(format!("the statement gives a column {strange:?}; known are {}", COLUMNS.join(", ")))
                }
            },
            _ => Err("the statement gives rows that cannot be read".into()),
        }
    }

    fn number(&self, column: &str) -> Result<Option<f64>, String> {
        match self.0.get(column) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => match number.as_f64().filter(|number| number.is_finite()) {
                Some(number) if number >= 0.0 => Ok(Some(number)),
                // Clocks of two machines, or a job put in while the statement ran.
                Some(_) if SECONDS.contains(&column) => Ok(Some(0.0)),
                _ => Err(format!("{column} is {number}, which is no count")),
            },
            Some(_) if SECONDS.contains(&column) => {
                Err(format!("{column} must be a number of seconds, such as extract(epoch from now() - …)"))
            }
            Some(_) => Err(format!("{column} must be a number")),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and saturating"
    )]
    fn count(&self, column: &str) -> Result<Option<u64>, String> {
        let exact = self.0.get(column).and_then(Value::as_u64);
        Ok(exact.or(self.number(column)?.map(|number| number as u64)))
    }

    fn few(&self, column: &str) -> Result<Option<u32>, String> {
        Ok(self.count(column)?.map(|count| u32::try_from(count).unwrap_or(u32::MAX)))
    }

    fn flag(&self, column: &str) -> Result<Option<bool>, String> {
        match self.0.get(column) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(format!("{column} must be true or false")),
        }
    }

    fn text(&self, column: &str) -> SafeText {
        SafeText::new(match self.0.get(column) {
            Some(Value::String(text)) => text,
            _ => "",
        })
    }

    fn job(&self, prefix: &str) -> Result<Option<NotedJob>, String> {
        let column = |rest: &str| format!("{prefix}_{rest}");
        let name = self.text(&column("job"));
        let job = NotedJob {
            worker: self.text(&column("worker")),
            running: self.number(&column("running"))?,
            tries: self.count(&column("tries"))?,
            name,
        };
        Ok((!job.name.is_empty()).then_some(job))
    }

    fn age(&self, depth: u64, capped: bool) -> Result<QueueAge, String> {
        Ok(match self.number("oldest")? {
            _ if depth == 0 => QueueAge::Empty,
            // There may be an older one among those not looked at.
            Some(age) if capped => QueueAge::AtLeast(age),
            Some(age) => QueueAge::Exact(age),
            None => QueueAge::Unknown(SafeText::new("the statement gives none")),
        })
    }

    /// Its queue; `None` for the row of no queue, which counts for all of them together.
    fn queue(&self) -> Option<SafeText> {
        match self.0.get("queue") {
            None => Some(SafeText::new(ONLY)),
            Some(Value::Null) => None,
            Some(Value::String(name)) => Some(SafeText::new(name)),
            Some(other) => Some(SafeText::new(&other.to_string())),
        }
    }
}

/// Columns in seconds.
const SECONDS: &[&str] = &["oldest", "overdue_for", "longest_running"];

/// The sample that rows make.
///
/// # Errors
/// What is wrong with them, for who wrote the statement.
pub(super) fn sample(rows: &[String]) -> Result<QueueSample, String> {
    let mut sample = QueueSample::default();
    let (mut capped, mut gone) = (false, None);
    for row in rows {
        let row = Row::parse(row)?;
        capped |= row.flag("capped")? == Some(true);
        match row.queue() {
            Some(name) if sample.queues.iter().any(|queue: &Queue| queue.name == name) => {
                return Err(format!("the statement gives queue {name:?} twice; group by it"));
            }
            Some(name) => sample.queues.push(queue(&row, name)?),
            None => {
                (sample.workers, sample.shared) = (row.few("workers")?, shared(&row)?);
                gone = row.few("stale_workers")?;
            }
        }
    }
    if sample.workers == Some(0) {
        // Nobody at all is nobody for each of them.
        for queue in &mut sample.queues {
            queue.workers = queue.workers.or(Some(0));
            queue.stale_workers = queue.stale_workers.or(gone);
        }
    }
    if capped {
        sample.missing.push(Missing::new("jobs", "counted up to a limit only: there are more of them"));
    }
    Ok(sample)
}

fn queue(row: &Row, name: SafeText) -> Result<Queue, String> {
    let depth = row.count("depth")?.ok_or("the statement gives no depth: the count of jobs that wait")?;
    Ok(Queue {
        dying: Vec::new(),
        name,
        depth,
        oldest: row.age(depth, row.flag("capped")? == Some(true))?,
        in_flight: row.count("in_flight")?,
        orphaned: row.count("orphaned")?,
        scheduled: row.count("scheduled")?,
        overdue: row.count("overdue")?,
        overdue_for: row.number("overdue_for")?,
        retry: row.count("retry")?,
        dead: row.count("dead")?,
        added: row.count("added")?,
        processed: row.count("processed")?,
        failed: row.count("failed")?,
        redelivered: None,
        unusable: None,
        workers: row.few("workers")?,
        busy: row.few("busy")?,
        stale_workers: row.few("stale_workers")?,
        paused: row.flag("paused")?,
        counted_ago: None,
        longest: row.job("longest")?,
        returning: row.job("returning")?,
    })
}

fn shared(row: &Row) -> Result<SharedCounts, String> {
    Ok(SharedCounts {
        dying: Vec::new(),
        in_flight: row.count("in_flight")?,
        orphaned: row.count("orphaned")?,
        scheduled: row.count("scheduled")?,
        overdue: row.count("overdue")?,
        overdue_for: row.number("overdue_for")?,
        retry: row.count("retry")?,
        dead: row.count("dead")?,
        processed: row.count("processed")?,
        failed: row.count("failed")?,
    })
}

/// A queue that its statement no longer gives: it was emptied. What it counted before is none now;
/// what it never counted stays unknown.
pub(super) fn emptied(before: &Queue) -> Queue {
    let none = |count: Option<u64>| count.map(|_| 0);
    Queue {
        name: before.name.clone(),
        in_flight: none(before.in_flight),
        orphaned: none(before.orphaned),
        scheduled: none(before.scheduled),
        overdue: none(before.overdue),
        retry: none(before.retry),
        dead: none(before.dead),
        ..Queue::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[&str]) -> Result<QueueSample, String> {
        sample(&rows.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn rows_become_queues_and_what_is_not_given_is_not_known() {
        let it = of(&[
            r#"{"queue":"mail","depth":12,"oldest":3.5,"paused":true,"longest_job":"Report","longest_running":9}"#,
            r#"{"queue":null,"workers":0,"stale_workers":2,"dead":7,"depth":null}"#,
            r#"{"queue":"bulk","depth":100000,"oldest":-0.2,"capped":true}"#,
            r#"{"queue":"none","depth":0,"oldest":null}"#,
            r#"{"queue":"untold","depth":1}"#,
        ])
        .expect("understood");
        let [mail, bulk, none, untold] = it.queues.as_slice() else { panic!("{it:?}") };
        assert_eq!((mail.depth, &mail.oldest, mail.paused), (12, &QueueAge::Exact(3.5), Some(true)));
        assert_eq!((mail.in_flight, mail.workers, mail.stale_workers), (None, Some(0), Some(2)));
        assert_eq!(mail.longest.as_ref().map(|job| job.running), Some(Some(9.0)));
        assert_eq!(bulk.oldest, QueueAge::AtLeast(0.0));
        assert_eq!(none.oldest, QueueAge::Empty);
        assert!(matches!(untold.oldest, QueueAge::Unknown(_)));
        assert_eq!((it.shared.dead, it.workers, it.missing.len()), (Some(7), Some(0), 1));
        assert_eq!(of(&[r#"{"depth":3}"#]).expect("one queue").queues[0].name.as_str(), "default");
    }

    #[test]
    fn a_wrong_statement_is_told_what_is_wrong_with_it() {
        for (row, why) in [
            (r#"{"queue":"a","dept":3}"#, "\"dept\"; known are queue, depth"),
            (r#"{"queue":"a"}"#, "no depth"),
            (r#"{"queue":"a","depth":3,"oldest":"00:01:00"}"#, "seconds"),
            (r#"{"queue":"a","depth":-3}"#, "no count"),
            (r#"{"queue":"a","depth":1,"paused":"no"}"#, "true or false"),
        ] {
            let refused = of(&[row]).expect_err(row);
            assert!(refused.contains(why), "{row}: {refused}");
        }
        assert!(of(&[r#"{"queue":"a","depth":1}"#, r#"{"queue":"a","depth":1}"#]).is_err());
    }
}
