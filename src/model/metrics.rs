//! How a page of metrics is told which of them answer the request question: the words of a mapping.

/// Proxies whose metrics are known.
pub const METRIC_PRESETS: &[&str] = &["envoy", "traefik", "caddy"];

/// Keys of a mapping that name a label: of the pool of servers, and of one server in it.
pub const METRIC_LABELS: &[&str] = &["backend", "server"];

/// Keys of a mapping that name a metric. Those that begin with `server_` speak of one server. `…_seconds`
/// and `…_ms` name a histogram or summary without its `_sum` and `_count`.
pub const METRIC_KEYS: &[&str] = &[
    "queue",
    "wait_seconds",
    "wait_ms",
    "in_flight",
    "requests",
    "errors_5xx",
    "connect_errors",
    "retries",
    "response_seconds",
    "response_ms",
    "members",
    "healthy",
    "server_up",
    "server_in_flight",
    "server_requests",
    "server_errors_5xx",
    "server_connect_errors",
    "server_response_seconds",
    "server_response_ms",
];

/// Which series of a page are meant: `requests_total{code="5*"}`. A `*` at a value's end stands for
/// anything, a `|` between two values for either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricSelector {
    /// The metric's name.
    pub name: String,
    /// Labels that must have a value.
    labels: Vec<(String, String)>,
}

impl MetricSelector {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, as a fragment of a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, rest) = match text.split_once('{') {
            Some((name, rest)) => (name.trim(), Some(rest.trim())),
            None => (text.trim(), None),
        };
        let legal = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
        };
        if !legal(name) {
            return Err(format!("{name:?} is no name of a metric"));
        }
        let mut labels = Vec::new();
        if let Some(rest) = rest {
            let inside = rest.strip_suffix('}').ok_or("the brace is not closed")?;
            for pair in inside.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
                let told = pair.split_once('=').and_then(|(label, value)| {
                    let value = value.trim().strip_prefix('"')?.strip_suffix('"')?;
                    Some((label.trim(), value))
                });
                match told {
                    Some((label, value)) if legal(label) => labels.push((label.to_owned(), value.to_owned())),
                    _ => return Err(format!("{pair:?} is no label=\"value\"")),
                }
            }
        }
        Ok(Self { name: name.to_owned(), labels })
    }

    /// The same series of the metric whose name goes on so: `_sum`.
    #[must_use]
    pub fn part(&self, end: &str) -> Self {
        Self { name: format!("{}{end}", self.name), labels: self.labels.clone() }
    }

    /// Whether a series with these labels is meant; `value` tells a label's value.
    pub fn takes<T: AsRef<str>>(&self, value: impl Fn(&str) -> Option<T>) -> bool {
        self.labels.iter().all(|(label, wanted)| {
            let told = value(label);
            let told = told.as_ref().map_or("", AsRef::as_ref);
            wanted.split('|').any(|wanted| match wanted.strip_suffix('*') {
                Some(begin) => told.starts_with(begin),
                None => told == wanted,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_takes_what_it_says_and_nothing_else() {
        let some = MetricSelector::parse(r#"http_requests_total{code="5*", kind = "web"}"#).expect("legal");
        let of = |code: &'static str, kind: &'static str| {
            some.takes(|label| match label {
                "code" => Some(code),
                "kind" => Some(kind),
                _ => None,
            })
        };
        assert!(of("503", "web") && !of("200", "web") && !of("503", "api"));
        let either = MetricSelector::parse(r#"a{kind="web|api*"}"#).expect("legal");
        let of = |kind: &'static str| either.takes(|_| Some(kind));
        assert!(of("web") && of("api2") && !of("web2") && !of("web|api"));
        assert!(MetricSelector::parse("up").expect("legal").takes(|_| None::<&str>));
        for bad in ["", "a b", "9a", "a{", "a{b}", "a{b=c}", "a{b=\"c\"", "a{b-c=\"d\"}"] {
            assert!(MetricSelector::parse(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn torn_selectors_are_read_or_refused() {
        crate::torn::each_torn_text(r#"http_requests_total{code="5*", kind = "web"}"#, |torn| {
            MetricSelector::parse(torn).ok().map(|it| it.takes(|_| Some("5")));
        });
    }
}
