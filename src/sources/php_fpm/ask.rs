//! Asks one pool of php-fpm.

use reqwest::Url;

use super::{fastcgi, status};
use crate::config::{Secret, TargetSpec};
use crate::model::{AppSample, AppSocket, Missing, PollError, PollErrorKind, SafeText};
use crate::sources::BoxFuture;
use crate::sources::app_door::{AppDoor, AppWay};
use crate::sources::app_poll::Ask;
use crate::sources::web_page::{Hints, WebPage};

/// What is asked of the page: every process, as JSON.
const QUERY: &str = "json&full";
/// Where the page is, unless the config says otherwise.
const PATH: &str = "/status";

struct FpmAsk {
    way: AppWay,
    path: String,
    listens: Option<SafeText>,
    place: String,
    /// Our own questions count among its connections when they go through the pool itself.
    asked: u64,
    run: SafeText,
}

/// A pool that is not yet connected to.
pub(super) fn make(spec: &TargetSpec) -> Result<Box<dyn Ask>, String> {
    let url = spec.url.as_ref().map_or("", Secret::expose);
    let mut path = spec.status_path.clone();
    let way = if url.starts_with("http") {
        let mut url = Url::parse(url).map_err(|error| format!("url: {error}"))?;
        url.set_query(Some(QUERY));
        path = Some(url.path().to_owned());
        let hints = Hints {
            login: "",
            not_found: "does this location lead to the pool's pm.status_path?",
            most_mb: 8,
        };
        AppWay::Page(WebPage::new(url, hints)?)
    } else {
        let door = AppDoor::of_url(url, "fcgi://")
            .ok_or("url must be fcgi://host:port/status, unix:/path or http://")?;
        let rest = url.strip_prefix("fcgi://").and_then(|rest| rest.split_once('/'));
        let given = rest.map(|(_, path)| format!("/{path}")).filter(|path| path.len() > 1);
        path = path.or(given);
        AppWay::Door(door)
    };
    let path = path.unwrap_or_else(|| PATH.to_owned());
    if !path.starts_with('/') || path.contains(['?', '#']) {
        return Err("status_path must be a path, as pm.status_path says it: /status".into());
    }
    let listens = spec.listens.as_deref().map(SafeText::new);
    Ok(Box::new(FpmAsk { way, path, listens, place: spec.endpoint(), asked: 0, run: SafeText::default() }))
}

impl FpmAsk {
    async fn read(&mut self) -> Result<AppSample, PollError> {
        let body = match &self.way {
            AppWay::Page(page) => page.get().await?,
            AppWay::Door(door) => self.over_fastcgi(door).await?,
        };
        let read = status::read(&body, &self.path).ok_or_else(|| {
            let says = "this is no status page of php-fpm; is pm.status_path set to";
            PollError::new(PollErrorKind::Garbage, &format!("{}: {says} {}?", self.place, self.path))
        })?;
        let (mut sample, through) = (read.sample, read.through_pool);
        if sample.run != self.run {
            self.run = sample.run.clone();
            self.asked = 0;
        }
        self.asked += u64::from(through);
        sample.requests = sample.requests.map(|all| all.saturating_sub(self.asked));
        let own = match &self.way {
            AppWay::Door(door) if through => Some(SafeText::new(door.place())),
            _ => None,
        };
        let known = self.listens.clone().or(own);
        // A socket in the file system has a queue that php-fpm cannot see: it says 0 of 0.
        let seen = read.queue_limit > 0;
        if known.is_some() || seen {
            sample.sockets.push(AppSocket {
                name: known.unwrap_or_else(|| "the pool".into()),
                depth: seen.then_some(read.queue),
                limit: seen.then_some(read.queue_limit),
            });
        }
        if !seen {
            let why = "php-fpm cannot see the queue of a socket in the file system and says 0 of 0; let it listen on \
                       a port, or watch it from the machine itself";
            sample.missing.push(Missing::new("listen queue", why));
        }
        if through {
            let why = "it is asked through the pool that it tells of, so that it is silent when all are busy: set \
                       pm.status_listen and let the url lead there";
            sample.missing.push(Missing::new("a way past the queue", why));
        }
        Ok(sample)
    }

    async fn over_fastcgi(&self, door: &AppDoor) -> Result<String, PollError> {
        let bytes = door.ask(&fastcgi::request(&self.path, QUERY)).await?;
        let garbage = |says: &str| door.error(PollErrorKind::Garbage, says);
        let answer =
            fastcgi::answer(&bytes).ok_or_else(|| garbage("it does not speak FastCGI, or broke off"))?;
        let text = String::from_utf8_lossy(&answer);
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| garbage("its answer has no headers"))?;
        match head.lines().find_map(|line| line.strip_prefix("Status: ")) {
            Some(status) if !status.starts_with("200") => {
                let says = format!("it answered {status} for {}: set pm.status_path", self.path);
                Err(door.error(PollErrorKind::Unsupported, &says))
            }
            _ => Ok(body.to_owned()),
        }
    }
}

impl Ask for FpmAsk {
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
