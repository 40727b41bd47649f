//! Asks one `node_exporter`.

use reqwest::Url;
use tokio::time::Instant;

use crate::config::TargetSpec;
use crate::model::{
    DoctorLine, HostSample, Millis, PollError, PollErrorKind, Reading, Sample, Severity, TargetId,
};
use crate::sources::machine_lines::examine;
use crate::sources::node_metrics::{Seen, is_wanted};
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
        Box::pin(async {
            let began = Instant::now();
            let sample = self.sample().await.map(|sample| Sample::Host(Box::new(sample)));
            vec![Reading { target: self.target.clone(), took: Millis::from(began.elapsed()), sample }]
        })
    }
}

/// Reads the page once and tells every gap with its reason.
fn doctor(spec: &TargetSpec) -> BoxFuture<'static, Vec<DoctorLine>> {
    let source = ExporterSource::new(spec);
    Box::pin(async move {
        let failed = |why: &str| vec![DoctorLine::lacking(Severity::Critical, why, "")];
        match source {
            Ok(source) => match source.sample().await {
                Ok(sample) => examine(&sample),
                Err(error) => failed(&error.to_string()),
            },
            Err(why) => failed(&why),
        }
    })
}
