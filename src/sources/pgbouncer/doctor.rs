//! What a PgBouncer lets us see.

use super::source::Session;
use crate::config::TargetSpec;
use crate::dial::PostgresDial;
use crate::model::words::many;
use crate::model::{DoctorLine, PollError, Severity};
use crate::sources::BoxFuture;

/// Opens the console anew and reads it once.
pub(super) fn doctor(spec: &TargetSpec) -> BoxFuture<'static, Vec<DoctorLine>> {
    let dial = PostgresDial::pooler(spec);
    Box::pin(async move {
        let dial = match dial {
            Ok(dial) => dial,
            Err(why) => return vec![DoctorLine::lacking(Severity::Critical, &why, "mend the target's url")],
        };
        examine(&dial).await.unwrap_or_else(|error| {
            let severity = if error.kind.is_ours() { Severity::Unknown } else { Severity::Critical };
            vec![DoctorLine::lacking(severity, &error.to_string(), "")]
        })
    })
}

async fn examine(dial: &PostgresDial) -> Result<Vec<DoctorLine>, PollError> {
    let mut session = Session::open(dial).await?;
    let sample = session.sample().await?;
    let place = format!("{} answers at {}", session.version, dial.place());
    session.close().await;
    let pools = many(sample.pools.len() as u64, "pool", "pools");
    let mut lines = vec![
        DoctorLine::fine(&place),
        DoctorLine::fine(&format!(
            "reads its console as {} ({pools}, {}); stats_users is enough",
            dial.role(),
            many(sample.clients, "client", "clients")
        )),
    ];
    if sample.pools.is_empty() {
        lines.push(DoctorLine::lacking(
            Severity::Ok,
            "it has no pool yet: one is made with the first client of a database and role",
            "",
        ));
    }
    lines.extend(sample.missing.iter().map(|gap| {
        DoctorLine::lacking(Severity::Unknown, &format!("{} not told", gap.what), gap.why.as_str())
    }));
    Ok(lines)
}
