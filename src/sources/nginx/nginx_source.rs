//! Asks one nginx.

use reqwest::Url;

use super::stub_status::{self, StubStatus};
use super::tail::{News, Tail};
use super::upstreams::Upstreams;
use crate::config::TargetSpec;
use crate::model::{
    DoctorLine, Missing, PollError, PollErrorKind, ProxyBackend, ProxyProcess, ProxySample, Reading, Sample,
    TargetId, Untold,
};
use crate::sources::one_answer::{examined, one_answer, untold};
use crate::sources::web_page::{Hints, WebPage};
use crate::sources::{BoxFuture, Kind, Source};

/// nginx.
pub const KIND: Kind = Kind { name: "nginx", says: "nginx", build, doctor };

/// The format that its access log must have to be followed.
pub const LOG_FORMAT: &str = "log_format warroom 'upstream=$proxy_host\\taddr=$upstream_addr\\tstatus=$status\\t\
                              ustatus=$upstream_status\\trt=$request_time\\tuct=$upstream_connect_time\\t\
                              uht=$upstream_header_time\\turt=$upstream_response_time';";

/// The page is far smaller.
const MOST_MB: usize = 1;

fn build(spec: &TargetSpec) -> Result<Box<dyn Source>, String> {
    Ok(Box::new(NginxSource::new(spec)?))
}

/// One nginx, by its page and its log.
pub struct NginxSource {
    target: TargetId,
    page: WebPage,
    tail: Option<Tail>,
    upstreams: Upstreams,
}

impl NginxSource {
    /// A source for this target; does not connect yet.
    ///
    /// # Errors
    /// When the url is missing or no url; a sentence without credentials.
    pub fn new(spec: &TargetSpec) -> Result<Self, String> {
        let url = spec.url.as_ref().ok_or("nginx needs the url of its stub_status page")?;
        let url = Url::parse(url.expose()).map_err(|error| format!("url: {error}"))?;
        let not_found = "is `stub_status` switched on at this location?";
        let hints = Hints { login: " (`auth_basic`)", not_found, most_mb: MOST_MB };
        Ok(Self {
            target: spec.id.clone(),
            page: WebPage::new(url, hints)?,
            tail: spec.log.clone().map(Tail::new),
            upstreams: Upstreams::default(),
        })
    }

    async fn sample(&mut self) -> Result<ProxySample, PollError> {
        let text = self.page.get().await?;
        let status = stub_status::parse(&text).ok_or_else(|| {
            self.page.error(
                PollErrorKind::Garbage,
                "this is no page of `stub_status`; does the url lead to its location?",
            )
        })?;
        let mut sample = ProxySample { process: Some(process(status)), ..ProxySample::default() };
        let told = if self.tail.is_some() { self.follow(&mut sample.missing).await } else { false };
        if told {
            sample.backends = self.upstreams.backends();
        } else {
            if self.tail.is_none() {
                let why =
                    "nginx tells its servers only in a log: give it `log`, in the format that doctor prints";
                sample.missing.push(Missing::new("servers", why));
            }
            sample.backends = vec![ProxyBackend {
                name: "all".into(),
                up: true,
                requests: status.requests,
                in_flight: status.writing.saturating_sub(1),
                untold: Untold { errors_5xx: true, connect_errors: true, retries: true, ..Untold::default() },
                ..ProxyBackend::default()
            }];
        }
        Ok(sample)
    }

    /// Reads what the log tells anew; false when it cannot be read.
    async fn follow(&mut self, missing: &mut Vec<Missing>) -> bool {
        let Some(mut tail) = self.tail.take() else { return false };
        // A file may hang as a disk does.
        let read = tokio::task::spawn_blocking(move || {
            let news = tail.read();
            (tail, news)
        });
        let Ok((tail, news)) = read.await else { return false };
        self.tail = Some(tail);
        match news {
            Ok(News { lines, skipped }) => {
                self.upstreams.add(&String::from_utf8_lossy(&lines));
                if skipped > 0 {
                    let why = format!("{skipped} bytes came at once and were passed over");
                    missing.push(Missing::new("a part of the log", &why));
                }
                if self.upstreams.foreign > 0 {
                    let why =
                        format!("{} lines in another format than doctor prints", self.upstreams.foreign);
                    missing.push(Missing::new("a part of the log", &why));
                }
                if self.upstreams.left_out > 0 {
                    missing
                        .push(Missing::new("servers", "there are more than are kept: the rest is left out"));
                }
                true
            }
            Err(why) => {
                missing.push(Missing::new("servers", &why));
                false
            }
        }
    }
}

fn process(status: StubStatus) -> ProxyProcess {
    ProxyProcess {
        connections: status.active,
        dropped: Some(status.accepts.saturating_sub(status.handled)),
        ..ProxyProcess::default()
    }
}

impl Source for NginxSource {
    fn poll(&mut self) -> BoxFuture<'_, Vec<Reading>> {
        one_answer(self.target.clone(), self.sample(), Sample::Proxy)
    }
}

/// Polls once; tells the log's format when servers are not told.
fn doctor(spec: &TargetSpec) -> BoxFuture<'static, Vec<DoctorLine>> {
    let source = NginxSource::new(spec);
    let log = spec
        .log
        .as_ref()
        .map_or_else(|| "/var/log/nginx/warroom.log".into(), |path| path.display().to_string());
    examined(async move {
        let sample = source?.sample().await.map_err(|error| error.to_string())?;
        let connections = sample.process.as_ref().map_or(0, |process| process.connections);
        let found = DoctorLine::fine(&format!("nginx: {connections} connections"));
        let mend = format!("{LOG_FORMAT} access_log {log} warroom;");
        Ok([found].into_iter().chain(untold(&sample.missing, &mend)).collect())
    })
}
