//! Asks one page of metrics.

use reqwest::Url;

use super::mapping::Mapping;
use super::means::Means;
use super::pools;
use crate::config::TargetSpec;
use crate::model::{DoctorLine, PollError, PollErrorKind, ProxySample, Reading, Sample, TargetId};
use crate::sources::one_answer::{examined, one_answer, untold};
use crate::sources::web_page::{Hints, WebPage};
use crate::sources::{BoxFuture, Kind, Source};

/// A proxy or an app by its metrics.
pub const KIND: Kind =
    Kind { name: "prometheus", says: "a proxy or an app by its Prometheus metrics", build, doctor };

/// An Envoy with hundreds of clusters stays below it; a longer page is refused, not read.
const MOST_MB: usize = 32;

fn build(spec: &TargetSpec) -> Result<Box<dyn Source>, String> {
    Ok(Box::new(PrometheusSource::new(spec)?))
}

/// One page of metrics and what its metrics mean.
pub struct PrometheusSource {
    target: TargetId,
    page: WebPage,
    mapping: Mapping,
    means: Means,
}

impl PrometheusSource {
    /// A source for this target; does not connect yet.
    ///
    /// # Errors
    /// When the url is missing or no url, or nothing says what the metrics mean; without credentials.
    pub fn new(spec: &TargetSpec) -> Result<Self, String> {
        let url = spec.url.as_ref().ok_or("prometheus needs the url of a page of metrics")?;
        let mut url = Url::parse(url.expose()).map_err(|error| format!("url: {error}"))?;
        let (path, not_found) = match spec.preset.as_deref() {
            Some("envoy") => {
                ("/stats/prometheus", "Envoy tells its metrics at /stats/prometheus of its admin port")
            }
            _ => ("/metrics", "is the path /metrics, and are metrics switched on?"),
        };
        if matches!(url.path(), "" | "/") {
            url.set_path(path);
        }
        let hints = Hints { login: "", not_found, most_mb: MOST_MB };
        Ok(Self {
            target: spec.id.clone(),
            page: WebPage::new(url, hints)?,
            mapping: Mapping::new(spec.preset.as_deref(), &spec.metrics)?,
            means: Means::default(),
        })
    }

    async fn sample(&mut self) -> Result<ProxySample, PollError> {
        let text = self.page.get().await?;
        pools::sample(&text, &self.mapping, &mut self.means).ok_or_else(|| {
            let says = "the page holds none of the metrics asked for; is the preset the right one?";
            self.page.error(PollErrorKind::Unsupported, says)
        })
    }
}

impl Source for PrometheusSource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        one_answer(self.target.clone(), self.sample(), Sample::Proxy)
    }
}

/// Polls once and tells what the page does not.
fn doctor(spec: &TargetSpec) -> BoxFuture<'static, Vec<DoctorLine>> {
    let source = PrometheusSource::new(spec);
    examined(async move {
        let sample = source?.sample().await.map_err(|error| error.to_string())?;
        let servers: usize = sample.backends.iter().map(|it| it.servers.len()).sum();
        let found = format!("{} pools, {servers} servers told by name", sample.backends.len());
        Ok([DoctorLine::fine(&found)].into_iter().chain(untold(&sample.missing, "")).collect())
    })
}
