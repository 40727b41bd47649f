//! The keys `sentinel` and `master` of a target on Redis: who tells where its master is.

use std::ops::Range;

use super::document::{Document, Section};
use super::{Secret, TargetSpec};

/// Where a Sentinel listens when no port is given.
const PORT: u16 = 26_379;

/// Reads both; each needs the other.
pub(super) fn sentinels(
    doc: &mut Document<'_>,
    at: &Section<'_, '_>,
    span: &Range<usize>,
    spec: &mut TargetSpec,
) {
    let (given, named) = (at.has("sentinel"), at.has("master"));
    if named && !given {
        let why =
            "is missing; master is the name that Sentinels know, such as sentinel = [\"10.0.0.6:26379\"]";
        doc.fault(at, "sentinel", span, why.into());
    }
    if given && !named {
        let why = "is missing: the name the Sentinels know it by, such as master = \"mymaster\"";
        doc.fault(at, "master", span, why.into());
    }
    if let Some((name, name_span)) = doc.text(at, "master") {
        if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            doc.fault(at, "master", &name_span, "a master's name is one word and not empty".into());
        } else {
            spec.master = Some(name);
        }
    }
    for (text, text_span) in doc.texts(at, "sentinel").unwrap_or_default() {
        match address(&text) {
            Some(url) if spec.sentinels.contains(&url) => {
                doc.fault(
                    at,
                    "sentinel",
                    &text_span,
                    format!("{} is named twice", url.without_credentials()),
                );
            }
            Some(url) => spec.sentinels.push(url),
            // Never repeated: it may hold a password.
            None => {
                let why = "a Sentinel is host:port, or redis://user:password@host:port (rediss:// for TLS)";
                doc.fault(at, "sentinel", &text_span, why.into());
            }
        }
    }
}

/// `host`, `host:port`, or a URL, as a URL with its port.
fn address(text: &str) -> Option<Secret> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme @ ("redis" | "rediss"), rest)) => (scheme, rest),
        Some(_) => return None,
        None if text.contains('@') => return None,
        None => ("redis", text),
    };
    let place = rest.trim_end_matches('/');
    let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '?' | '#');
    if host.is_empty() || place.contains(odd) {
        return None;
    }
    // What stands in brackets is an IPv6 address, whose colons are its own.
    let port =
        host.rsplit(']').next().and_then(|tail| tail.rsplit_once(':')).map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Err(_)) => None,
        Some(Ok(_)) => Some(Secret::new(&format!("{scheme}://{place}"))),
        None => Some(Secret::new(&format!("{scheme}://{place}:{PORT}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_and_keeps_its_password() {
        for (text, url) in [
            ("10.0.0.6", "redis://10.0.0.6:26379"),
            ("s1.shop.internal:5000", "redis://s1.shop.internal:5000"),
            ("[::1]", "redis://[::1]:26379"),
            ("[::1]:7", "redis://[::1]:7"),
            ("rediss://eye:pw@s1:7/", "rediss://eye:pw@s1:7"),
        ] {
            assert_eq!(address(text), Some(Secret::new(url)), "{text}");
        }
        for text in ["", "http://s1", "s1:port", "eye:pw@s1", "s1 s2", "redis://s1:1/0"] {
            assert_eq!(address(text), None, "{text}");
        }
    }
}
