//! Asks one Puma. Of the control app's verbs only `stats` is ever spoken here: the others act.

use reqwest::Url;

use super::stats;
use crate::config::{Secret, TargetSpec};
use crate::model::{AppSample, AppSocket, Missing, PollError, PollErrorKind, SafeText};
use crate::sources::BoxFuture;
use crate::sources::app_door::{AppDoor, AppWay};
use crate::sources::app_poll::Ask;
use crate::sources::web_page::{Hints, WebPage};

struct PumaAsk {
    way: AppWay,
    token: Option<Secret>,
    listens: Option<SafeText>,
    place: String,
}

/// A Puma that is not yet connected to.
pub(super) fn make(spec: &TargetSpec) -> Result<Box<dyn Ask>, String> {
    let url = spec.url.as_ref().map_or("", Secret::expose);
    let token = spec.token.clone();
    if token.as_ref().is_some_and(|token| !token.expose().chars().all(plain)) {
        return Err("the token holds characters that Puma compares as they are and a url cannot carry: give it one of \
                    letters and digits".into());
    }
    let way = if let Some(door) = AppDoor::of_url(url, "unix:") {
        AppWay::Door(door)
    } else {
        let mut url = Url::parse(url).map_err(|error| format!("url: {error}"))?;
        if !url.path().ends_with("stats") {
            url.set_path("/stats");
        }
        if let Some(token) = &token {
            url.set_query(Some(&format!("token={}", token.expose())));
        }
        let hints =
            Hints { login: "", not_found: "is this Puma's control app (`--control-url`)?", most_mb: 1 };
        AppWay::Page(WebPage::new(url, hints)?)
    };
    let listens = spec.listens.as_deref().map(SafeText::new);
    Ok(Box::new(PumaAsk { way, token, listens, place: spec.endpoint() }))
}

impl PumaAsk {
    async fn read(&self) -> Result<AppSample, PollError> {
        let text = match &self.way {
            AppWay::Page(page) => page.get().await.map_err(|error| match error.kind {
                PollErrorKind::Rights => self.refused(),
                _ => error,
            })?,
            AppWay::Door(door) => {
                let token = self.token.as_ref().map(|token| format!("?token={}", token.expose()));
                match door.page(&format!("/stats{}", token.unwrap_or_default())).await? {
                    (200, body) => body,
                    (403, _) => return Err(self.refused()),
                    (status, _) => {
                        return Err(door.error(PollErrorKind::Garbage, &format!("it answered {status}")));
                    }
                }
            }
        };
        let mut sample = stats::read(&text).ok_or_else(|| {
            let says = format!("{}: this is no answer of Puma's control app", self.place);
            PollError::new(PollErrorKind::Garbage, &says)
        })?;
        if let Some(name) = &self.listens {
            sample.sockets.push(AppSocket { name: name.clone(), ..AppSocket::default() });
        } else {
            let why =
                "Puma does not tell where it listens: set `listens` to its address, such as 127.0.0.1:3000";
            sample.missing.push(Missing::new("accept queue", why));
        }
        Ok(sample)
    }

    fn refused(&self) -> PollError {
        let how = if self.token.is_some() { "the token is refused" } else { "it wants its token" };
        let says =
            format!("{}: {how}; set token_env or token_file to what `--control-token` says", self.place);
        PollError::new(PollErrorKind::Login, &says)
    }
}

/// Puma compares the query as it comes, without undoing its escapes.
const fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '+' | '/' | '=' | ':' | '!' | '*' | '$')
}

impl Ask for PumaAsk {
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
