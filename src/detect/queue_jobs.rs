//! Rules `dead_jobs`, `poison_job`, `orphaned_jobs` and `scheduler`: jobs that die in numbers, that come
//! back again and again, that nobody works on any more, or that nobody wakes when their time has come.

use std::time::Duration;

use super::queue_workers::on;
use super::{Assessment, View};
use crate::config::Limits;
use crate::model::words::span;
use crate::model::{Culprit, FailedJobs, NotedJob, Resource, SafeText, Severity, TargetId};
use crate::store::QueueRates;

/// Jobs that die within about ten seconds before it is said.
const DYING: u64 = 5;
/// Tries from which a job is one that will never be done.
const TRIES: u64 = 5;
/// How long jobs must come back before it is said: a worker that ends hands back what it held.
const COMING_BACK: Duration = Duration::from_secs(15);
/// What rates are taken over, seconds.
const WINDOW: f64 = 10.0;

/// What one queue, or all queues of a target together, tell of their jobs.
struct Jobs<'a> {
    id: TargetId,
    name: SafeText,
    depth: u64,
    dead: Option<u64>,
    orphaned: Option<u64>,
    overdue: Option<u64>,
    overdue_for: Option<f64>,
    returning: Option<&'a NotedJob>,
    dying: &'a [FailedJobs],
    rates: Option<&'a QueueRates>,
}

/// How the jobs of every queue stand.
pub(super) fn detect(view: &View<'_>) -> Vec<Assessment> {
    let mut out = Vec::new();
    for (target, sample) in view.store.queues(view.now) {
        let rates = target.queue_window();
        let shared = Jobs {
            id: target.info.id.clone(),
            name: SafeText::default(),
            depth: sample.queues.iter().map(|queue| queue.depth).fold(0, u64::saturating_add),
            dead: sample.shared.dead,
            orphaned: sample.shared.orphaned,
            overdue: sample.shared.overdue,
            overdue_for: sample.shared.overdue_for,
            returning: None,
            dying: &sample.shared.dying,
            rates: rates.and_then(|rows| rows.get("")),
        };
        let each = sample.queues.iter().map(|queue| Jobs {
            id: target.info.id.row(queue.name.as_str()),
            name: queue.name.clone(),
            depth: queue.depth,
            dead: queue.dead,
            orphaned: queue.orphaned,
            overdue: queue.overdue,
            overdue_for: queue.overdue_for,
            returning: queue.returning.as_ref(),
            dying: &queue.dying,
            rates: rates.and_then(|rows| rows.get(queue.name.as_str())),
        });
        for jobs in each.chain([shared]) {
            let limits = view.limits(Resource::QueueBacklog, &jobs.id);
            out.extend(
                [dying(&jobs), poison(&jobs), orphaned(&jobs), scheduler(&jobs, limits)]
                    .into_iter()
                    .flatten(),
            );
        }
    }
    out
}

fn culprit(jobs: &Jobs<'_>) -> Culprit {
    let name = if jobs.name.is_empty() { SafeText::new(jobs.id.as_str()) } else { jobs.name.clone() };
    Culprit::Queue { name, depth: jobs.depth }
}

fn dying(jobs: &Jobs<'_>) -> Option<Assessment> {
    let it = Assessment::new("dead_jobs", Resource::QueueBacklog, jobs.id.clone());
    let dead = jobs.dead?;
    let died = jobs.rates.and_then(|rates| rates.died).unwrap_or(0);
    if died < DYING {
        return Some(it.says(format!("{dead} dead")));
    }
    let (mostly, culprit) = match mostly(jobs.dying) {
        Some(job) => {
            let error = if job.error.is_empty() { String::new() } else { format!(" with {}", job.error) };
            let (name, queue) = (job.name.clone(), jobs.name.clone());
            let culprit = Culprit::Job { name, queue, worker: SafeText::default() };
            (format!(", mostly {}{error}", job.name), culprit)
        }
        None => (String::new(), culprit(jobs)),
    };
    let says = format!(
        "{died} jobs died within ten seconds and will not be tried again{mostly}; {dead} are dead in all"
    );
    Some(it.at_least(Severity::Warning).says(says).culprit(culprit))
}

/// The job that half or more of the newest dead are.
fn mostly(dying: &[FailedJobs]) -> Option<&FailedJobs> {
    let all: u64 = dying.iter().map(|it| it.count).sum();
    dying.first().filter(|most| 2 * most.count >= all)
}

fn poison(jobs: &Jobs<'_>) -> Option<Assessment> {
    let it = Assessment::new("poison_job", Resource::QueueBacklog, jobs.id.clone());
    let Some(job) = jobs.returning else { return returning(it, jobs) };
    let tries = job.tries?;
    if tries < TRIES {
        return Some(it.says(format!("{} was handed out {tries} times", job.name)));
    }
    let says = format!(
        "{} was handed out {tries} times{} and is not done: it comes back",
        job.name,
        on(&job.worker)
    );
    Some(it.at_least(Severity::Warning).says(says).culprit(Culprit::Job {
        name: job.name.clone(),
        queue: jobs.name.clone(),
        worker: job.worker.clone(),
    }))
}

/// Where no single job is told: more are handed out once more than are done.
fn returning(it: Assessment, jobs: &Jobs<'_>) -> Option<Assessment> {
    let rates = jobs.rates?;
    let again = rates.redelivered?;
    let done = rates.service.unwrap_or(0.0) * WINDOW;
    if again < TRIES || (again as f64) < done {
        return Some(it.says(format!("{again} jobs were handed out once more")));
    }
    let says =
        format!("jobs come back: {again} were handed out once more within ten seconds, {done:.0} were done");
    Some(it.at_least(Severity::Warning).hold(COMING_BACK).says(says).culprit(culprit(jobs)))
}

fn orphaned(jobs: &Jobs<'_>) -> Option<Assessment> {
    let it = Assessment::new("orphaned_jobs", Resource::QueueBacklog, jobs.id.clone())
        .hold(Duration::from_secs(30));
    let orphaned = jobs.orphaned?;
    if orphaned == 0 {
        return Some(it.says("no job is without its worker"));
    }
    let were = if orphaned == 1 { "1 job was".into() } else { format!("{orphaned} jobs were") };
    let says = format!("{were} taken long ago and not finished: the worker is gone or stuck");
    Some(it.at_least(Severity::Warning).says(says).culprit(culprit(jobs)))
}

/// Jobs whose time has come and whom nobody puts into the queue; by the limits of a job that waits.
fn scheduler(jobs: &Jobs<'_>, limits: Limits) -> Option<Assessment> {
    let it = Assessment::new("scheduler", Resource::QueueBacklog, jobs.id.clone());
    let overdue = jobs.overdue?;
    let Some(late) = jobs.overdue_for.filter(|_| overdue > 0) else {
        return Some(it.says("nothing is overdue"));
    };
    let are = if overdue == 1 { "1 job is".into() } else { format!("{overdue} jobs are") };
    let mut it = it.measured(late, limits).proven(late);
    // The course of this resource is that of the oldest waiting job.
    it.value = None;
    let says = format!("{are} overdue, the first by {}: the scheduler is behind or dead", span(late));
    Some(it.says(says).culprit(culprit(jobs)))
}
