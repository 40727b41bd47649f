//! What this HAProxy tells, and what it cannot know.

use super::haproxy_source::Way;
use super::sockets;
use crate::config::TargetSpec;
use crate::model::words::many;
use crate::model::{DoctorLine, ProxySample, Severity};
use crate::sources::BoxFuture;

/// Polls once, asks for the socket's level, and names the servers whose queues nobody can see.
pub(super) fn doctor(spec: &TargetSpec) -> BoxFuture<'static, Vec<DoctorLine>> {
    let way = Way::new(spec);
    let (ring, sockets) = (spec.ring.clone(), spec.sockets.clone());
    Box::pin(async move {
        let way = match way {
            Ok(way) => way,
            Err(why) => return vec![DoctorLine::lacking(Severity::Critical, &why, "")],
        };
        let sample = match way.sample().await {
            Ok(mut sample) => {
                sockets::place(&mut sample, &sockets);
                sample
            }
            Err(error) => return vec![DoctorLine::lacking(Severity::Critical, &error.to_string(), "")],
        };
        let mut lines = Vec::new();
        if let Way::Door(door) = &way {
            match door.ask("show cli level").await {
                Ok(level) => lines.push(DoctorLine::fine(&format!("socket level {}", level.trim()))),
                Err(error) => lines.push(DoctorLine::lacking(Severity::Unknown, &error.to_string(), "")),
            }
            if let Some(name) = ring {
                lines.push(ring_line(&name, &door.ask("show events").await.unwrap_or_default()));
            }
        }
        lines.extend(examine(&sample));
        lines
    })
}

/// Whether a ring is among those that `show events` lists, and whether it lost any lines.
fn ring_line(name: &str, events: &str) -> DoctorLine {
    let told = |line: &str| line.split_once(':').map(|(ring, rest)| (ring.trim() == name, rest.to_owned()));
    let Some((_, rest)) = events.lines().filter_map(told).find(|(is_it, _)| *is_it) else {
        let mend = format!(
            "add a section `ring {name}` to haproxy.cfg and log to `ring@{name}`; the README has the lines"
        );
        return DoctorLine::lacking(Severity::Warning, &format!("there is no ring {name}"), &mend);
    };
    let dropped = rest.split(',').find_map(|part| part.trim().strip_suffix(" dropped")?.parse::<u64>().ok());
    match dropped {
        Some(some @ 1..) => {
            let what = format!("ring {name} dropped {some} lines");
            DoctorLine::lacking(Severity::Warning, &what, "raise its `size` in haproxy.cfg")
        }
        _ => DoctorLine::fine(&format!("ring {name} is there")),
    }
}

fn examine(sample: &ProxySample) -> Vec<DoctorLine> {
    let servers: usize = sample.backends.iter().map(|backend| backend.servers.len()).sum();
    let version = sample.process.as_ref().map_or_else(String::new, |it| format!(" {}", it.version));
    let backends = many(sample.backends.len() as u64, "backend", "backends");
    let found = format!("HAProxy{version}: {backends}, {}", many(servers as u64, "server", "servers"));
    let mut lines = vec![DoctorLine::fine(&found)];
    lines.extend(sample.missing.iter().map(|gap| {
        DoctorLine::lacking(Severity::Unknown, &format!("{} not told", gap.what), gap.why.as_str())
    }));
    let limitless: Vec<String> = sample
        .backends
        .iter()
        .flat_map(|backend| {
            let open = backend.servers.iter().filter(|server| server.limit.is_none());
            open.map(|server| format!("{}/{}", backend.name, server.name))
        })
        .collect();
    if !limitless.is_empty() {
        let named = limitless.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        let more = limitless.len().saturating_sub(5);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        lines.push(DoctorLine::lacking(
            Severity::Warning,
            &format!("no maxconn on {named}{more}: the proxy cannot see queuing there, its queue reads 0"),
            "set maxconn on the server line to the app's slots, or watch the app's machine for its accept queue",
        ));
    }
    lines
}
