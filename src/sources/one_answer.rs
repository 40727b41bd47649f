//! What sources share that have one answer a poll, about their target itself.

use tokio::time::Instant;

use super::BoxFuture;
use crate::model::{DoctorLine, Millis, Missing, PollError, Reading, Sample, Severity, TargetId};

/// Asks, and tells how long it took; `question` is the variant of [`Sample`] that the answer belongs to.
pub(super) fn one_answer<'a, S: Send + 'a>(
    target: TargetId,
    asked: impl Future<Output = Result<S, PollError>> + Send + 'a,
    question: fn(Box<S>) -> Sample,
) -> BoxFuture<'a, Vec<Reading>> {
    Box::pin(async move {
        let began = Instant::now();
        let sample = asked.await.map(|sample| question(Box::new(sample)));
        vec![Reading { target, took: Millis::from(began.elapsed()), sample }]
    })
}

/// What `doctor` found out, or in one line why it could not.
pub(super) fn examined(
    found: impl Future<Output = Result<Vec<DoctorLine>, String>> + Send + 'static,
) -> BoxFuture<'static, Vec<DoctorLine>> {
    Box::pin(async move {
        found.await.unwrap_or_else(|why| vec![DoctorLine::lacking(Severity::Critical, &why, "")])
    })
}

/// What a sample does not tell, a line each, all with one `mend`.
pub(super) fn untold(missing: &[Missing], mend: &str) -> impl Iterator<Item = DoctorLine> {
    missing.iter().map(move |gap| {
        DoctorLine::lacking(Severity::Unknown, &format!("{} not told: {}", gap.what, gap.why), mend)
    })
}
