//! Asks one Varnish.

use std::time::Duration;

use tokio::time::Instant;

use super::counters::{self, Counters, Known};
use super::vcl;
use crate::config::TargetSpec;
use crate::dial::{VarnishBackend, VarnishDial};
use crate::model::words::many;
use crate::model::{
    DoctorLine, Missing, PollError, PollErrorKind, ProxySample, Reading, SafeText, Sample, Severity, TargetId,
};
use crate::sources::one_answer::one_answer;
use crate::sources::{BoxFuture, Source};

/// How often a management that refused is asked again.
const REFUSED: Duration = Duration::from_secs(30);

/// Polls one Varnish.
pub(super) struct VarnishSource {
    target: TargetId,
    dial: VarnishDial,
    known: Known,
    /// The program whose addresses are known.
    vcl: Option<String>,
    refused: Option<(Instant, PollError)>,
}

impl VarnishSource {
    /// Asks nothing yet.
    pub(super) fn new(spec: &TargetSpec) -> Result<Self, String> {
        let dial = VarnishDial::new(spec)?;
        Ok(Self { target: spec.id.clone(), dial, known: Known::default(), vcl: None, refused: None })
    }

    async fn sample(&mut self) -> Result<ProxySample, PollError> {
        let text = self.dial.counters().await?;
        let counters = Counters::read(&text).ok_or_else(|| {
            PollError::new(PollErrorKind::Garbage, "varnishstat prints no counters of a running Varnish")
        })?;
        if self.refused.as_ref().is_none_or(|(at, _)| at.elapsed() >= REFUSED) {
            match self.manage().await {
                Ok(()) => self.refused = None,
                Err(error) => {
                    self.known.backends = None;
                    self.refused = Some((Instant::now(), error));
                }
            }
        }
        let mut sample = counters::sample(&counters, &self.known);
        if let Some((_, error)) = &self.refused {
            sample.missing.push(Missing::new("health of the backends", error.says.as_str()));
        }
        Ok(sample)
    }

    /// Asks the management for the backends, and for what is read once a program.
    async fn manage(&mut self) -> Result<(), PollError> {
        let answer = self.dial.ask(&["backend.list", "-j"]).await?;
        let backends = VarnishBackend::list(&answer).ok_or_else(|| {
            PollError::new(
                PollErrorKind::Unsupported,
                "backend.list does not answer in JSON: Varnish before 6.2",
            )
        })?;
        let active = backends.first().map(|backend| backend.vcl.clone());
        if self.vcl.is_none() || active != self.vcl {
            self.once(active.as_deref()).await?;
            self.vcl = active;
        }
        self.known.backends = Some(backends);
        Ok(())
    }

    async fn once(&mut self, active: Option<&str>) -> Result<(), PollError> {
        let legal =
            |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        self.known.addresses.clear();
        if let Some(name) = active.filter(legal) {
            let text = self.dial.ask(&["vcl.show", "-v", name]).await?;
            self.known.addresses = vcl::addresses(&text);
        }
        // A word for who mends Varnish; without it one place to wait less is told.
        self.known.listens =
            self.dial.ask(&["debug.listen_address"]).await.map(|text| listens(&text)).unwrap_or_default();
        let banner = self.dial.ask(&["banner"]).await?;
        let version = banner.lines().find_map(|line| line.strip_prefix("varnish-")?.split(' ').next());
        self.known.version = SafeText::new(version.unwrap_or_default());
        let limit = self.dial.ask(&["param.show", "-j", "thread_pool_max"]).await?;
        self.known.pool_threads = serde_json::from_str::<serde_json::Value>(&limit)
            .ok()
            .and_then(|answer| answer.as_array()?.iter().find_map(|part| part.get("value")?.as_u64()));
        Ok(())
    }
}

/// `a0 127.0.0.1 80`, `b /run/varnish.sock -`: a name, an address and a port.
fn listens(text: &str) -> Vec<SafeText> {
    let place = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (host, port) = (words.next()?, words.next()?);
        let place = match host {
            path if path.starts_with('/') => path.to_owned(),
            host if host.contains(':') => format!("[{host}]:{port}"),
            host => format!("{host}:{port}"),
        };
        Some(SafeText::new(&place))
    };
    text.lines().filter_map(place).collect()
}

impl Source for VarnishSource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        one_answer(self.target.clone(), self.sample(), Sample::Proxy)
    }
}

/// Polls once; tells whether its backends can be told anything.
pub(super) async fn doctor(spec: TargetSpec) -> Vec<DoctorLine> {
    let mut source = match VarnishSource::new(&spec) {
        Ok(source) => source,
        Err(why) => return vec![DoctorLine::lacking(Severity::Critical, &why, "mend the target's settings")],
    };
    let sample = match source.sample().await {
        Ok(sample) => sample,
        Err(error) => {
            let severity = if error.kind.is_ours() { Severity::Unknown } else { Severity::Critical };
            return vec![DoctorLine::lacking(severity, &error.to_string(), "")];
        }
    };
    let servers = sample.backends.first().map_or(0, |backend| backend.servers.len() as u64);
    let version = sample.process.as_ref().map_or_else(String::new, |process| format!(" {}", process.version));
    let found = format!("Varnish{version} tells its counters ({})", many(servers, "backend", "backends"));
    let mut lines = vec![DoctorLine::fine(&found)];
    match &source.refused {
        None => lines.push(DoctorLine::fine("its management answers: a backend can be set sick and back")),
        Some((_, error)) => lines.push(DoctorLine::lacking(
            Severity::Warning,
            "its management does not answer: health of the backends is not told, and none can be set sick",
            error.says.as_str(),
        )),
    }
    lines
}
