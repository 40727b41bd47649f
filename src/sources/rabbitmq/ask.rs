//! The questions: addresses below the API, and what a refusal means.

use reqwest::Url;

use super::answer;
use crate::config::TargetSpec;
use crate::model::{PollError, PollErrorKind};
use crate::sources::web_page::{Answered, Hints, WebPage};

/// Queues asked of one target.
pub(super) const QUEUES: usize = 500;
/// Most dead-letter exchanges whose bindings are asked for.
pub(super) const EXCHANGES: usize = 16;

/// Longest answer taken: 500 queues need some 200 kB.
const MOST_MB: usize = 16;
/// Longest filter by name; a longer one would not fit into an address everywhere.
const FILTER: usize = 4_000;

/// One RabbitMQ's API.
pub(super) struct Api {
    base: Url,
    /// As whom it is asked.
    pub(super) user: String,
    vhost: Option<String>,
    /// A pattern for the names of the configured queues.
    filter: Option<String>,
}

impl Api {
    /// The API of a target.
    pub(super) fn of(spec: &TargetSpec) -> Result<Self, String> {
        let Some(url) = &spec.url else {
            return Err("rabbitmq needs a url: \"http://user:password@host:15672\"".into());
        };
        let base = Url::parse(url.expose()).map_err(|error| format!("url: {error}"))?;
        if base.cannot_be_a_base() {
            return Err("the url is none: it must be such as http://user:password@host:15672".into());
        }
        Ok(Self {
            user: base.username().to_owned(),
            base,
            vhost: spec.vhost.clone(),
            filter: filter(&spec.queues),
        })
    }

    fn page(&self, path: &[&str], query: &[(&str, &str)]) -> Result<WebPage, String> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("api").extend(path);
        }
        url.query_pairs_mut().clear().extend_pairs(query);
        let not_found = "nothing of RabbitMQ's management there";
        WebPage::new(url, Hints { login: "", not_found, most_mb: MOST_MB })
    }

    /// The queues: one page of them, the fullest first if there are more.
    pub(super) fn queues(&self, fullest: bool) -> Result<WebPage, String> {
        let size = QUEUES.to_string();
        let mut query = vec![("page", "1"), ("page_size", &size), ("columns", answer::QUEUE_COLUMNS)];
        if fullest {
            // To sort them it must count all of them: five times as dear.
            query.extend([("sort", "messages_ready"), ("sort_reverse", "true")]);
        }
        if let Some(filter) = &self.filter {
            query.extend([("name", filter.as_str()), ("use_regex", "true")]);
        }
        let mut path = vec!["queues"];
        path.extend(self.vhost.as_deref());
        self.page(&path, &query)
    }

    /// The nodes.
    pub(super) fn nodes(&self) -> Result<WebPage, String> {
        self.page(&["nodes"], &[("columns", answer::NODE_COLUMNS)])
    }

    /// The connections.
    pub(super) fn connections(&self) -> Result<WebPage, String> {
        self.page(
            &["connections"],
            &[("page", "1"), ("page_size", "500"), ("columns", answer::CONNECTION_COLUMNS)],
        )
    }

    /// What is bound to an exchange.
    pub(super) fn bindings(&self, vhost: &str, exchange: &str) -> Result<WebPage, String> {
        self.page(
            &["exchanges", vhost, exchange, "bindings", "source"],
            &[("columns", "destination,destination_type")],
        )
    }

    /// The virtual hosts that can be seen.
    pub(super) fn vhosts(&self) -> Result<WebPage, String> {
        self.page(&["vhosts"], &[("columns", "name")])
    }

    /// The version.
    pub(super) fn overview(&self) -> Result<WebPage, String> {
        self.page(&["overview"], &[("columns", "rabbitmq_version,management_version,cluster_name")])
    }

    /// The body of a page that was given; otherwise what its status means and what mends it.
    pub(super) fn body(&self, page: &WebPage, answer: Answered) -> Result<Answered, PollError> {
        let user = if self.user.is_empty() { "<user>" } else { &self.user };
        let (kind, says) = match answer.status {
            200 => return Ok(answer),
            401 | 403 if answer.text.contains("Not management user") => (
                PollErrorKind::Rights,
                format!("{user} may not ask it; mend: rabbitmqctl set_user_tags {user} monitoring"),
            ),
            401 | 403 if answer.text.contains("Not monitor user") => (
                PollErrorKind::Rights,
                format!("{user} may not look at nodes; mend: rabbitmqctl set_user_tags {user} monitoring"),
            ),
            401 if self.user.is_empty() => {
                (PollErrorKind::Login, "it wants a user and a password; put them into the url".to_owned())
            }
            401 => (PollErrorKind::Login, format!("it refuses the login of {user}: wrong user or password")),
            404 if self.vhost.is_some() => (
                PollErrorKind::Config,
                "404: no such virtual host, or nothing of RabbitMQ's management there".into(),
            ),
            404 => (PollErrorKind::Unsupported, "404: nothing of RabbitMQ's management there".to_owned()),
            status if status >= 500 => (PollErrorKind::Unavailable, format!("it answered {status}")),
            status => (PollErrorKind::Garbage, format!("it answered {status}")),
        };
        Err(page.error(kind, &says))
    }
}

/// A pattern that the names of these queues match; `None` where all are wanted or there are too many.
fn filter(queues: &[String]) -> Option<String> {
    if queues.is_empty() {
        return None;
    }
    let names: Vec<String> = queues
        .iter()
        .flat_map(|queue| {
            // Named with or without its virtual host.
            let bare = queue.split_once('/').map(|(_, name)| name);
            [Some(queue.as_str()), bare].into_iter().flatten().map(literal)
        })
        .collect();
    let filter = format!("^({})$", names.join("|"));
    (filter.len() <= FILTER).then_some(filter)
}

fn literal(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if !(c.is_alphanumeric() || c == '_' || !c.is_ascii()) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_literally() {
        assert_eq!(filter(&[]), None);
        assert_eq!(filter(&["a.b".into(), "v/c*".into()]).expect("short enough"), r"^(a\.b|v\/c\*|c\*)$");
        assert_eq!(filter(&["x".repeat(FILTER)]), None, "asked for all and picked here");
    }
}
