//! Asks one Prometheus server for every machine it scrapes.

use reqwest::Url;
use tokio::time::Instant;

use super::{answer, query};
use crate::config::TargetSpec;
use crate::model::{
    DoctorLine, FleetSample, Millis, Missing, PollError, PollErrorKind, Reading, Sample, TargetId,
};
use crate::sources::machine_lines::examine;
use crate::sources::one_answer::examined;
use crate::sources::web_page::{Hints, WebPage};
use crate::sources::{BoxFuture, Kind, Source};

/// The machines of one Prometheus.
pub(in crate::sources) const KIND: Kind =
    Kind { name: "prometheus_hosts", says: "many machines by their Prometheus", build, doctor };

/// A thousand machines need some 5 MB.
const MOST_MB: usize = 64;
/// Most machines told of.
const MOST_MACHINES: usize = 4_000;

fn build(spec: &TargetSpec) -> Result<Box<dyn Source>, String> {
    Ok(Box::new(HostsSource::new(spec)?))
}

/// One server and the connection to it.
struct HostsSource {
    target: TargetId,
    group: Option<String>,
    select: String,
    page: WebPage,
}

impl HostsSource {
    fn new(spec: &TargetSpec) -> Result<Self, String> {
        let Some(url) = &spec.url else {
            return Err("prometheus_hosts needs a url: \"http://prometheus:9090\"".into());
        };
        let mut url = Url::parse(url.expose()).map_err(|error| format!("url: {error}"))?;
        let select = spec.select.clone().unwrap_or_else(|| query::SELECT.to_owned());
        query::check_select(&select)?;
        let path = format!("{}/api/v1/query", url.path().trim_end_matches('/'));
        url.set_path(&path);
        // Given up there when nobody waits for it here any more.
        let patience = format!("{}ms", spec.timeout.as_millis());
        url.query_pairs_mut()
            .clear()
            .append_pair("timeout", &patience)
            .append_pair("query", &query::promql(&select));
        let hints =
            Hints { login: "", not_found: "does the url end where Prometheus begins?", most_mb: MOST_MB };
        let page = WebPage::new(url, hints)?;
        Ok(Self { target: spec.id.clone(), group: spec.group.clone(), select, page })
    }

    async fn readings(&self, began: Instant) -> Result<Vec<Reading>, PollError> {
        let text = self.page.get().await?;
        let mut machines = answer::machines(&text, self.group.as_deref())
            .map_err(|why| self.page.error(PollErrorKind::Garbage, &why))?;
        drop(text);
        if machines.is_empty() {
            let says = format!("no machine matches {{{}}}: put label matchers into select", self.select);
            return Err(self.page.error(PollErrorKind::Unsupported, &says));
        }
        let mut fleet = FleetSample::default();
        let left_out = machines.len().saturating_sub(MOST_MACHINES);
        if left_out > 0 {
            fleet.missing.push(Missing::new("machines", &format!("{left_out} left out: narrow select")));
            machines = machines.into_iter().take(MOST_MACHINES).collect();
        }
        let instances: Vec<String> = machines.keys().cloned().collect();
        let names = answer::names(instances.iter());
        let took = Millis::from(began.elapsed());
        let mut rows = Vec::with_capacity(machines.len() + 1);
        for (instance, machine) in machines {
            let name = names.get(instance.as_str()).copied().unwrap_or(&instance);
            fleet.machines += 1;
            let says = if machine.is_unreachable() {
                fleet.unreachable += 1;
                "Prometheus cannot reach its exporter"
            } else {
                "Prometheus has no processor times of it"
            };
            let sample = machine
                .into_sample()
                .map(|sample| Sample::Host(Box::new(sample)))
                .ok_or_else(|| PollError::new(PollErrorKind::Unreachable, says));
            rows.push(Reading { target: self.target.row(name), took, sample });
        }
        rows.push(Reading { target: self.target.clone(), took, sample: Ok(Sample::Fleet(Box::new(fleet))) });
        Ok(rows)
    }
}

impl Source for HostsSource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        Box::pin(async {
            let began = Instant::now();
            self.readings(began).await.unwrap_or_else(|error| {
                let took = Millis::from(began.elapsed());
                vec![Reading { target: self.target.clone(), took, sample: Err(error) }]
            })
        })
    }
}

/// Asks once, counts the machines and tells what one of them lacks.
fn doctor(spec: &TargetSpec) -> BoxFuture<'static, Vec<DoctorLine>> {
    let source = HostsSource::new(spec);
    examined(async move {
        let readings = source?.readings(Instant::now()).await.map_err(|error| error.to_string())?;
        let mut lines = Vec::new();
        for reading in &readings {
            match &reading.sample {
                Ok(Sample::Fleet(fleet)) => {
                    let says =
                        format!("{} machines, {} of them unreachable", fleet.machines, fleet.unreachable);
                    lines.insert(0, DoctorLine::fine(&says));
                }
                Ok(Sample::Host(sample)) if lines.is_empty() => {
                    lines.push(DoctorLine::fine(&format!("{}, as an example:", reading.target)));
                    lines.extend(examine(sample));
                }
                _ => {}
            }
        }
        Ok(lines)
    })
}
