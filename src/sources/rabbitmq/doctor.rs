//! What a RabbitMQ lacks, and the command that mends it.

use serde::Deserialize;
use tokio::time::Instant;

use super::answer;
use super::ask::Api;
use super::source::RabbitMq;
use crate::config::TargetSpec;
use crate::model::{DoctorLine, PollError, PollErrorKind, Severity};
use crate::sources::BoxFuture;
use crate::sources::web_page::WebPage;

/// A look that takes longer is no small matter to its server, milliseconds.
const DEAR: u128 = 500;

#[derive(Deserialize)]
struct Vhost {
    name: String,
}

#[derive(Deserialize)]
struct Overview {
    rabbitmq_version: Option<String>,
    management_version: Option<String>,
}

/// Asks who it is, what it may see, and for a whole sample.
pub(super) fn doctor(spec: &TargetSpec) -> BoxFuture<'static, Vec<DoctorLine>> {
    let asked = Api::of(spec).and_then(|api| Ok((api, RabbitMq::new(spec)?)));
    Box::pin(async move {
        match asked {
            Ok((api, source)) => examine(&api, source).await,
            Err(why) => vec![DoctorLine::lacking(Severity::Critical, &why, "correct the target")],
        }
    })
}

async fn get(api: &Api, page: Result<WebPage, String>) -> Result<String, PollError> {
    let page = page.map_err(|why| PollError::new(PollErrorKind::Config, &why))?;
    Ok(api.body(&page, page.ask().await?)?.text)
}

async fn examine(api: &Api, mut source: RabbitMq) -> Vec<DoctorLine> {
    let answer = match get(api, api.overview()).await {
        Ok(answer) => answer,
        Err(error) => return vec![unreachable(&error)],
    };
    let Ok(overview) = answer::read::<Overview>(&answer) else {
        return vec![DoctorLine::lacking(
            Severity::Critical,
            "it answers, but not as RabbitMQ's management",
            "",
        )];
    };
    let version = overview.rabbitmq_version.or(overview.management_version).unwrap_or_default();
    let mut lines = vec![DoctorLine::fine(&format!("RabbitMQ {version} answers"))];
    let user = &api.user;
    match get(api, api.nodes()).await {
        Ok(_) => lines.push(DoctorLine::fine("nodes and their alarms can be read")),
        Err(error) => {
            let mend = format!("rabbitmqctl set_user_tags {user} monitoring");
            lines.push(DoctorLine::lacking(Severity::Warning, &error.to_string(), &mend));
        }
    }
    let vhosts = get(api, api.vhosts()).await.ok();
    let vhosts: Vec<Vhost> = vhosts.and_then(|text| answer::read(&text).ok()).unwrap_or_default();
    let names = vhosts.iter().map(|vhost| vhost.name.as_str()).collect::<Vec<_>>().join(", ");
    lines.push(if vhosts.is_empty() {
        let says = format!("{user} may enter no virtual host, so no queue can be seen");
        let mend =
            format!("rabbitmqctl set_permissions -p / {user} '^$' '^$' '^$'  (which lets it touch nothing)");
        DoctorLine::lacking(Severity::Warning, &says, &mend)
    } else {
        DoctorLine::fine(&format!("sees the virtual hosts {names}"))
    });
    let began = Instant::now();
    let sample = match source.sample().await {
        Ok(sample) => sample,
        Err(error) => {
            lines.push(DoctorLine::lacking(Severity::Critical, &error.to_string(), ""));
            return lines;
        }
    };
    let took = began.elapsed().as_millis();
    let says = format!("{} queues in {took} ms", sample.queues.len());
    lines.push(if took < DEAR {
        DoctorLine::fine(&says)
    } else {
        DoctorLine::lacking(Severity::Warning, &says, "name the queues that matter, or poll it less often")
    });
    for lacks in sample.missing {
        let what = format!("{}: {}", lacks.what, lacks.why);
        lines.push(DoctorLine::lacking(Severity::Unknown, &what, ""));
    }
    lines
}

fn unreachable(error: &PollError) -> DoctorLine {
    let mend = match error.kind {
        PollErrorKind::Unreachable | PollErrorKind::Garbage => {
            "rabbitmq-plugins enable rabbitmq_management; it listens on port 15672, not on that of the clients"
        }
        _ => "",
    };
    let severity = if error.kind.is_ours() { Severity::Unknown } else { Severity::Critical };
    DoctorLine::lacking(severity, &error.to_string(), mend)
}
