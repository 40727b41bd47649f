//! Asks one `node_exporter`.

use reqwest::Url;

use crate::config::TargetSpec;
use crate::model::{DoctorLine, HostSample, PollError, PollErrorKind, Reading, Sample, TargetId};
use crate::sources::machine_lines::examine;
use crate::sources::node_metrics::{Seen, is_wanted};
use crate::sources::one_answer::{examined, one_answer};
use crate::sources::prometheus_text::lines;
use crate::sources::web_page::{Hints, WebPage};
use crate::sources::{BoxFuture, Kind, Source};

/// A machine that runs `node_exporter`.
pub(in crate::sources) const KIND: Kind =
    Kind { name: "node_exporter", says: "a machine by its node_exporter", build, doctor };

/// An ordinary page has 60 KB; one of a machine with thousands of devices some megabytes.
const MOST_MB: usize = 16;

fn build(spec: &TargetSpec) -> Result<Box<dyn Source>, String> {
    Ok(Box::new(ExporterSource::new(spec)?))
}

/// One exporter and the connection to it.
struct ExporterSource {
    target: TargetId,
    page: WebPage,
}

impl ExporterSource {
    fn new(spec: &TargetSpec) -> Result<Self, String> {
        let Some(url) = &spec.url else {
            return Err("node_exporter needs a url: \"http://host:9100/metrics\"".into());
        };
        let mut url = Url::parse(url.expose()).map_err(|error| format!("url: {error}"))?;
        if matches!(url.path(), "" | "/") {
            url.set_path("/metrics");
        }
        let hints =
            Hints { login: " (its web config)", not_found: "is the path /metrics?", most_mb: MOST_MB };
        Ok(Self { target: spec.id.clone(), page: WebPage::new(url, hints)? })
    }

    async fn sample(&self) -> Result<HostSample, PollError> {
        let text = self.page.get().await?;
        let mut seen = Seen::default();
        for line in lines(&text, is_wanted) {
            seen.take(&line);
        }
        seen.into_sample().ok_or_else(|| {
            let says = "the page holds no node_cpu_seconds_total: is it a node_exporter on Linux?";
            PollError::new(PollErrorKind::Unsupported, says)
        })
    }
}

impl Source for ExporterSource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        one_answer(self.target.clone(), self.sample(), Sample::Host)
    }
}

/// Reads the page once and tells every gap with its reason.
fn doctor(spec: &TargetSpec) -> BoxFuture<'static, Vec<DoctorLine>> {
    let source = ExporterSource::new(spec);
    examined(async move {
        let sample = source?.sample().await.map_err(|error| error.to_string())?;
        Ok(examine(&sample))
    })
}
