//! Where the backends of a VCL are: their declarations, and nothing else of it. Pure.

use std::collections::BTreeMap;

/// `host:port` of every backend declared in this text, by its name.
pub(super) fn addresses(text: &str) -> BTreeMap<String, String> {
    let words = words(text);
    let mut out = BTreeMap::new();
    let mut at = 0;
    while at < words.len() {
        let (name, open) = (words.get(at + 1), words.get(at + 2));
        if words[at] != "backend" || open.is_none_or(|word| word != "{") {
            at += 1;
            continue;
        }
        let name = name.cloned().unwrap_or_default();
        at += 3;
        let (mut host, mut port, mut depth) = (None, None, 1);
        while at < words.len() && depth > 0 {
            match words[at].as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                ".host" if depth == 1 => host = words.get(at + 2).cloned(),
                ".port" if depth == 1 => port = words.get(at + 2).cloned(),
                ".path" if depth == 1 => host = words.get(at + 2).map(|path| format!("unix:{path}")),
                _ => {}
            }
            at += 1;
        }
        let Some(host) = host else { continue };
        let place = if host.starts_with("unix:") {
            host
        } else {
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            format!("{host}:{}", port.as_deref().unwrap_or("80"))
        };
        out.insert(name, place);
    }
    out
}

/// Words, braces and the content of strings; comments and the rest left out.
fn words(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let comment = if rest.starts_with("//") || first == '#' {
            Some("\n")
        } else if rest.starts_with("/*") {
            Some("*/")
        } else {
            None
        };
        let long =
            [("{\"", "\"}"), ("\"\"\"", "\"\"\"")].into_iter().find(|(open, _)| rest.starts_with(open));
        if let Some(end) = comment {
            rest = rest.split_once(end).map_or("", |(_, after)| after);
        } else if let Some((open, close)) = long {
            let inside = &rest[open.len()..];
            let (word, after) = inside.split_once(close).unwrap_or((inside, ""));
            out.push(word.to_owned());
            rest = after;
        } else if first == '"' {
            let (word, after) = rest[1..].split_once('"').unwrap_or((&rest[1..], ""));
            out.push(word.to_owned());
            rest = after;
        } else if first.is_alphanumeric() || matches!(first, '_' | '.') {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-')));
            let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
            out.push(word.to_owned());
            rest = after;
        } else {
            if matches!(first, '{' | '}' | '=') {
                out.push(first.to_string());
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn declarations_are_found_among_comments_and_code() {
        let text = "vcl 4.1; # backend no { .host = \"x\"; }\n/* backend neither { } */\n\
            backend web1 { .host = \"127.0.0.1\"; .port = \"81\"; .probe = { .url = \"/\"; .host = \"no\"; } }\n\
            backend web-2 { .host = {\"::1\"}; }\nbackend s { .path = \"/run/a.sock\"; }\nbackend none none;\n\
            sub vcl_recv { set req.backend_hint = web1; }";
        let told = addresses(text);
        let row = |name: &str, place: &str| (name.to_owned(), place.to_owned());
        let wanted = [row("s", "unix:/run/a.sock"), row("web-2", "[::1]:80"), row("web1", "127.0.0.1:81")];
        assert_eq!(told.into_iter().collect::<Vec<_>>(), wanted);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,80}", more in "[{}\"/*#=.backend \n]{0,80}") {
            addresses(&text);
            addresses(&more);
        }
    }
}
