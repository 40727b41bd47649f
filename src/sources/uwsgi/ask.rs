//! Asks one uWSGI.

use std::collections::BTreeMap;

use reqwest::Url;
use tokio::time::Instant;

use super::stats::{self, Stats};
use crate::config::{Secret, TargetSpec};
use crate::model::{AppSample, PollError, PollErrorKind};
use crate::sources::BoxFuture;
use crate::sources::app_door::{AppDoor, AppWay};
use crate::sources::app_poll::Ask;
use crate::sources::web_page::{Hints, WebPage};

struct UwsgiAsk {
    way: AppWay,
    place: String,
    /// When each core's request was first seen at work: its number, and the moment.
    seen: BTreeMap<(u64, u64), (i64, Instant)>,
}

/// A uWSGI that is not yet connected to.
pub(super) fn make(spec: &TargetSpec) -> Result<Box<dyn Ask>, String> {
    let url = spec.url.as_ref().map_or("", Secret::expose);
    let way = if url.starts_with("http") {
        let url = Url::parse(url).map_err(|error| format!("url: {error}"))?;
        let hints = Hints { login: "", not_found: "is this `stats` with `stats-http`?", most_mb: 8 };
        AppWay::Page(WebPage::new(url, hints)?)
    } else {
        let door = AppDoor::of_url(url, "tcp://");
        AppWay::Door(door.ok_or("url must lead to the stats server: tcp://host:port, unix:/path or http://")?)
    };
    Ok(Box::new(UwsgiAsk { way, place: spec.endpoint(), seen: BTreeMap::new() }))
}

impl UwsgiAsk {
    async fn read(&mut self) -> Result<AppSample, PollError> {
        let text = match &self.way {
            AppWay::Door(door) => String::from_utf8_lossy(&door.ask(b"").await?).into_owned(),
            AppWay::Page(page) => page.get().await?,
        };
        let stats: Stats = serde_json::from_str(&text).map_err(|error| self.garbage(&text, &error))?;
        let mut sample = stats::sample(&stats);
        self.age(&stats, &mut sample);
        Ok(sample)
    }

    fn garbage(&self, text: &str, error: &serde_json::Error) -> PollError {
        let says = if text.trim_start().starts_with("HTTP/") {
            "it speaks HTTP (stats-http): let the url begin with http://".to_owned()
        } else if text.is_empty() {
            "it closed without a word; is this the address of `stats`?".to_owned()
        } else {
            format!("this is no answer of uWSGI's stats server: {error}")
        };
        PollError::new(PollErrorKind::Garbage, &format!("{}: {says}", self.place))
    }

    /// How long each worker has been at its request, as far as we saw it: its clock is not ours.
    fn age(&mut self, stats: &Stats, sample: &mut AppSample) {
        let now = Instant::now();
        let mut seen = BTreeMap::new();
        for (worker, told) in stats.workers.iter().zip(&mut sample.workers) {
            for core in worker.cores.iter().filter(|core| core.in_request > 0) {
                let began = core.req_info.request_start;
                let key = (worker.id, core.id);
                let since =
                    self.seen.get(&key).filter(|(start, _)| *start == began).map_or(now, |(_, at)| *at);
                seen.insert(key, (began, since));
                let age = (now - since).as_secs_f64();
                if told.busy_for.is_none_or(|longest| longest < age) {
                    told.busy_for = Some(age);
                    told.doing = core.doing();
                }
            }
        }
        self.seen = seen;
    }
}

impl Ask for UwsgiAsk {
    fn ask(&mut self) -> BoxFuture<'_, Result<AppSample, PollError>> {
        Box::pin(self.read())
    }

    fn place(&self) -> String {
        self.place.clone()
    }

    fn way(&self) -> &AppWay {
        &self.way
    }
}
