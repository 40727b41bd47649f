//! Worker queues.

use super::draft::{Draft, col, polled, row, severity, silent_rows};
use crate::app::{App, Cell, Column, RowKey};
use crate::model::words::span;
use crate::model::{FailedJobs, NotedJob, QUEUE_KINDS, Queue, QueueAge, Resource, Sample, TargetId};
use crate::store::{QueueRates, Target};

const COLUMNS: &[Column] = &[
    col("QUEUE", 18, false, 0),
    col("WAITING", 8, true, 0),
    col("OLDEST", 8, true, 0),
    col("IN", 7, true, 2),
    col("OUT", 7, true, 1),
    col("DRAINED IN", 10, true, 2),
    col("WORKERS", 7, true, 1),
    col("BUSY", 5, true, 3),
    col("IN FLIGHT", 9, true, 3),
    col("DEAD", 6, true, 4),
    col("RETRY", 6, true, 5),
    col("SCHEDULED", 9, true, 6),
    col("", 0, false, 3),
];

pub(super) fn queues(app: &App) -> Draft {
    let now = app.moment();
    let mut draft = Draft { columns: COLUMNS, empty: "no queue is known", ..Draft::default() };
    let mut said = Vec::new();
    for (target, sample) in app.shown().store.queues(now) {
        let mut all: Vec<&Queue> = sample.queues.iter().collect();
        let age = |queue: &Queue| queue.oldest.seconds().unwrap_or(0.0);
        all.sort_by(|a, b| age(b).total_cmp(&age(a)).then(b.depth.cmp(&a.depth)));
        for queue in all {
            let id = target.info.id.row(queue.name.as_str());
            let rates = target.queue_window().and_then(|rows| rows.get(queue.name.as_str()));
            let worst = severity(app, &[Resource::QueueBacklog], &id);
            draft.rows.push(row(RowKey::Target(id.clone()), worst, cells(id.as_str(), queue, rates)));
        }
        let left =
            if sample.left_out > 0 { format!(", {} left out", sample.left_out) } else { String::new() };
        said.push(format!("{}: {}{left}", target.info.id, polled(target, now)));
    }
    draft.rows.extend(silent_rows(app, QUEUE_KINDS, COLUMNS));
    draft.summary = said.join("   ");
    draft
}

fn cells(id: &str, queue: &Queue, rates: Option<&QueueRates>) -> Vec<Cell> {
    let count = |n: Option<u32>| Cell::maybe(n, |n| Cell::Count(n.into()));
    let mut notes = Vec::new();
    match &queue.oldest {
        QueueAge::Unknown(why) => notes.push(format!("age: {why}")),
        QueueAge::Empty | QueueAge::Exact(_) | QueueAge::AtLeast(_) => {}
    }
    if queue.paused == Some(true) {
        notes.push("held back by an operator".into());
    }
    if let Some(orphaned) = queue.orphaned.filter(|n| *n > 0) {
        notes.push(format!("{orphaned} without their worker"));
    }
    if let Some(overdue) = queue.overdue.filter(|n| *n > 0) {
        notes.push(format!("{overdue} overdue"));
    }
    vec![
        Cell::text(id),
        Cell::Count(queue.depth),
        match queue.oldest {
            QueueAge::AtLeast(age) => Cell::AtLeast(age),
            _ => Cell::maybe(queue.oldest.seconds(), Cell::Seconds),
        },
        Cell::maybe(rates.and_then(|rates| rates.arrival), Cell::Rate),
        Cell::maybe(rates.and_then(|rates| rates.service), Cell::Rate),
        // Also where there is no room for notes.
        if queue.paused == Some(true) {
            Cell::text("paused")
        } else {
            Cell::maybe(rates.and_then(|rates| rates.drain), Cell::Seconds)
        },
        count(queue.workers),
        count(queue.busy),
        Cell::maybe(queue.in_flight, Cell::Count),
        Cell::maybe(queue.dead, Cell::Count),
        Cell::maybe(queue.retry, Cell::Count),
        Cell::maybe(queue.scheduled, Cell::Count),
        if notes.is_empty() { Cell::None } else { Cell::text(&notes.join(", ")) },
    ]
}

/// What a queue's row has no column for: the jobs that stand out, and what its dead are.
pub(super) fn queue_page(target: &Target, id: &TargetId) -> Vec<(String, Cell)> {
    let Some(Sample::Queue(sample)) = target.sample.as_deref().map(|sample| &sample.it) else {
        return Vec::new();
    };
    let queue = sample.queues.iter().find(|queue| target.info.id.row(queue.name.as_str()) == *id);
    let Some(queue) = queue else { return Vec::new() };
    let mut lines = Vec::new();
    let mut add = |label: &str, text: String| lines.push((label.to_owned(), Cell::text(&text)));
    let on = |job: &NotedJob| {
        if job.worker.is_empty() { String::new() } else { format!(" on {}", job.worker) }
    };
    if let Some(ago) = queue.counted_ago {
        add("counted", format!("{} ago, but for what waits and the oldest of it", span(ago)));
    }
    if let Some(job) = &queue.longest {
        let since = job.running.map_or_else(String::new, |running| format!(", for {}", span(running)));
        add("longest at work", format!("{}{}{since}", job.name, on(job)));
    }
    if let Some((job, tries)) = queue.returning.as_ref().and_then(|job| Some((job, job.tries?))) {
        add("comes back", format!("{}{}, handed out {tries} times", job.name, on(job)));
    }
    if !queue.dying.is_empty() {
        add("newest dead", dead(&queue.dying));
    }
    if !sample.shared.dying.is_empty() {
        add("newest dead of all", dead(&sample.shared.dying));
    }
    if let Some(count) = sample.shared.dead {
        add("dead of all queues", count.to_string());
    }
    lines
}

/// `5 Report (ValueError), 1 Mail`
fn dead(jobs: &[FailedJobs]) -> String {
    let each = jobs.iter().map(|it| {
        let error = if it.error.is_empty() { String::new() } else { format!(" ({})", it.error) };
        format!("{} {}{error}", it.count, it.name)
    });
    each.collect::<Vec<_>>().join(", ")
}
