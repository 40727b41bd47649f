//! One poll and one examination of an app server, whatever its kind.

use super::app_door::AppWay;
use super::one_answer::one_answer;
use super::{BoxFuture, Source, unix_queue};
use crate::config::TargetSpec;
use crate::model::words::many;
use crate::model::{AppSample, DoctorLine, PollError, Reading, Sample, Severity, TargetId};

/// What one kind knows: to ask, and to read the answer.
pub(super) trait Ask: Send {
    /// Asks once.
    fn ask(&mut self) -> BoxFuture<'_, Result<AppSample, PollError>>;
    /// Where it asks, in words.
    fn place(&self) -> String;
    /// The way it asks by.
    fn way(&self) -> &AppWay;

    /// Asks once; what a server on this machine cannot see of its sockets, the kernel is asked.
    fn look(&mut self) -> BoxFuture<'_, Result<AppSample, PollError>>
    where
        Self: Send,
    {
        Box::pin(async move {
            let mut sample = self.ask().await?;
            if self.way().is_here() {
                unix_queue::fill(&mut sample);
            }
            Ok(sample)
        })
    }
}

/// Makes the asking part of a kind; the error is a sentence for the operator.
pub(super) type MakeAsk = fn(&TargetSpec) -> Result<Box<dyn Ask>, String>;

/// Polls one app server.
struct AppSource {
    id: TargetId,
    ask: Box<dyn Ask>,
}

/// A source of this kind; does not connect yet.
pub(super) fn build(spec: &TargetSpec, make: MakeAsk) -> Result<Box<dyn Source>, String> {
    Ok(Box::new(AppSource { id: spec.id.clone(), ask: make(spec)? }))
}

/// Polls once, and tells what is not told.
pub(super) fn doctor(spec: &TargetSpec, make: MakeAsk) -> BoxFuture<'static, Vec<DoctorLine>> {
    let ask = make(spec);
    Box::pin(async move {
        let mut ask = match ask {
            Ok(ask) => ask,
            Err(why) => {
                return vec![DoctorLine::lacking(Severity::Critical, &why, "mend the target's settings")];
            }
        };
        match ask.look().await {
            Ok(sample) => examine(&sample, &ask.place()),
            Err(error) => {
                let severity = if error.kind.is_ours() { Severity::Unknown } else { Severity::Critical };
                vec![DoctorLine::lacking(severity, &error.to_string(), "")]
            }
        }
    })
}

fn examine(sample: &AppSample, place: &str) -> Vec<DoctorLine> {
    let units = match sample.unit.as_str() {
        "process" => "processes".to_owned(),
        unit => format!("{unit}s"),
    };
    let can = many(sample.capacity, sample.unit.as_str(), &units);
    let mut lines = vec![DoctorLine::fine(&format!("{} answers at {place} ({can})", sample.product))];
    let sockets: Vec<&str> = sample.sockets.iter().map(|socket| socket.name.as_str()).collect();
    if !sockets.is_empty() {
        lines.push(DoctorLine::fine(&format!("listens on {}", sockets.join(", "))));
    }
    lines.extend(sample.missing.iter().map(|gap| {
        DoctorLine::lacking(Severity::Warning, &format!("{} not told", gap.what), gap.why.as_str())
    }));
    lines
}

impl Source for AppSource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        one_answer(self.id.clone(), self.ask.look(), Sample::App)
    }
}
