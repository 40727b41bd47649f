//! What a queue in a database lacks, and the statement that mends it.

use std::time::Duration;

use tokio::time::Instant;

use super::presets::Question;
use super::{rows, source};
use crate::config::TargetSpec;
use crate::dial::PostgresDial;
use crate::model::{DoctorLine, Severity};
use crate::sources::BoxFuture;

/// A statement that takes longer is no small matter to its server.
const DEAR: Duration = Duration::from_millis(250);

/// Logs in anew, asks the statement once and tells what came of it.
pub(super) fn doctor(spec: &TargetSpec) -> BoxFuture<'static, Vec<DoctorLine>> {
    let asked = PostgresDial::new(spec).and_then(|dial| {
        let question = Question::of(spec, dial.role())?;
        Ok((dial, question))
    });
    let every = spec.every;
    Box::pin(async move {
        match asked {
            Ok((dial, question)) => examine(dial, question, every).await,
            Err(why) => vec![DoctorLine::lacking(Severity::Critical, &why, "correct the target")],
        }
    })
}

async fn examine(dial: PostgresDial, question: Question, every: Duration) -> Vec<DoctorLine> {
    let place = dial.place().to_owned();
    let (first, session) = source::ask(dial.clone(), question.clone(), None).await;
    // The second time nothing has to be read in, nor a login to be made.
    let began = Instant::now();
    let answer = match first {
        Ok(_) => source::ask(dial, question, session).await.0,
        Err(error) => Err(error),
    };
    let took = began.elapsed();
    let given = match answer {
        Ok(given) => given,
        Err(error) => {
            let severity = if error.kind.is_ours() { Severity::Unknown } else { Severity::Critical };
            return vec![DoctorLine::lacking(severity, &error.to_string(), "")];
        }
    };
    let reach = DoctorLine::fine(&format!("answers at {place}; asked in a transaction that can only read"));
    let told = match rows::sample(&given) {
        Ok(sample) => {
            let says = format!(
                "the statement gives {} queues in {:.1} ms",
                sample.queues.len(),
                took.as_secs_f64() * 1e3
            );
            if took < DEAR {
                DoctorLine::fine(&says)
            } else {
                let mend =
                    format!("poll it less often (every = …, now {every:?}) or give its table an index");
                DoctorLine::lacking(Severity::Warning, &says, &mend)
            }
        }
        Err(why) => DoctorLine::lacking(Severity::Critical, &why, "correct the target's statement"),
    };
    vec![reach, told]
}
