//! Where a target answers, as its `url`, `url_env` or `url_file` tells.

use std::ops::Range;

use super::document::{Document, Section};
use super::file_text::file_text;
use super::target::{ADDRESS, Context, Takes, resolve};
use super::{Secret, TargetSpec};

/// The address: written out (then it must be right), or found at run time (then a fault only breaks this target).
pub(super) fn address(
    doc: &mut Document<'_>,
    at: &Section<'_, '_>,
    span: &Range<usize>,
    takes: &Takes,
    context: &Context<'_>,
    spec: &mut TargetSpec,
) {
    let given: Vec<&str> = ADDRESS.iter().copied().filter(|key| at.has(key)).collect();
    if given.len() > 1 {
        let why = format!("stands beside {}; give one of url, url_env and url_file", given[1]);
        doc.fault(at, given[0], span, why);
        return;
    }
    let begin = takes.schemes.join(", ");
    match given.first().copied() {
        None if takes.finds_itself || at.has("sentinel") => {}
        None => {
            doc.fault(
                at,
                "url",
                span,
                format!("is missing (or url_env, url_file); it begins with one of {begin}"),
            );
        }
        Some("url") => {
            let Some((url, url_span)) = doc.text(at, "url") else { return };
            match check_url(&url, takes.schemes) {
                Ok(()) => spec.url = Some(Secret::new(&url)),
                Err(why) => doc.fault(at, "url", &url_span, why),
            }
        }
        Some("url_env") => {
            let Some((name, _)) = doc.text(at, "url_env") else { return };
            let found = (context.env)(&name).filter(|url| !url.is_empty());
            let from = format!("${name} (url_env)");
            take(spec, takes, found.ok_or_else(|| "is not set".to_owned()), &from);
        }
        Some(_) => {
            let Some((path, _)) = doc.text(at, "url_file") else { return };
            let path = resolve(context, &path);
            let from = format!("{} (url_file)", path.display());
            take(spec, takes, file_text(&path).map(|text| text.trim().to_owned()), &from);
        }
    }
}

/// Takes an address that was found at run time; what is wrong with it breaks the target, not the file.
fn take(spec: &mut TargetSpec, takes: &Takes, found: Result<String, String>, from: &str) {
    match found.and_then(|url| check_url(&url, takes.schemes).map(|()| url)) {
        Ok(url) => spec.url = Some(Secret::new(&url)),
        Err(why) => spec.broken = Some(format!("{from} {why}")),
    }
}

/// Checks the ports of an address; of several hosts (`a:1,b:2`) each may have one.
fn check_ports(url: &str) -> Result<(), String> {
    let Some((_, rest)) = url.split_once("://") else { return Ok(()) };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let hosts = authority.rsplit('@').next().unwrap_or_default();
    for host in hosts.split(',') {
        // The colons of an IPv6 address stand in brackets.
        let tail = host.rsplit(']').next().unwrap_or_default();
        let Some((_, port)) = tail.rsplit_once(':') else { continue };
        if !port.is_empty() && !port.parse::<u16>().is_ok_and(|port| port > 0) {
            return Err("has a port that is none: it must be a number from 1 to 65535 (in a password write %2F for /, %3F for ?)".into());
        }
    }
    Ok(())
}

/// Checks how an address begins; never repeats it, for it may hold a password.
fn check_url(url: &str, schemes: &[&str]) -> Result<(), String> {
    if url.is_empty() {
        return Err("is empty".into());
    }
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("holds white space or control characters; encode them as %20 and the like".into());
    }
    if schemes.iter().any(|scheme| url.starts_with(scheme)) {
        return check_ports(url);
    }
    let right = schemes.join(", ");
    let shown: String = url.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '+').collect();
    match url.strip_prefix(shown.as_str()) {
        Some(rest) if rest.starts_with("://") => {
            Err(format!("begins with {shown}://; it must be one of {right}"))
        }
        _ => Err(format!("has no scheme; it must begin with one of {right}")),
    }
}
