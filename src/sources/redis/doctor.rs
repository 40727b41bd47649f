//! What a cache allows, what is missing, and the rule or setting that mends it.

use super::super::resp::{self, Resp};
use super::info::Info;
use crate::config::TargetSpec;
use crate::model::{DoctorLine, Namespace, PollErrorKind, Severity};

/// Since this version a user may have several sets of rules.
const SELECTORS: u32 = 7;
/// What watching needs, and the look before a clear.
const READS: &str =
    "+@read -@dangerous +@connection +info +time +slowlog|get +slowlog|len +acl|whoami +acl|dryrun";

/// Examines one cache on a connection of its own.
pub(super) async fn examine(spec: TargetSpec) -> Vec<DoctorLine> {
    let mut connection = match Resp::new(&spec) {
        Ok(connection) => connection,
        Err(why) => return vec![DoctorLine::lacking(Severity::Critical, &why, "correct the url")],
    };
    let mut pipeline = redis::pipe();
    pipeline.cmd("INFO").arg("all");
    pipeline.cmd("ACL").arg("WHOAMI");
    pipeline.cmd("SLOWLOG").arg("LEN");
    pipeline.cmd("SCAN").arg(0).arg("COUNT").arg(1);
    let answers = match connection.ask(&pipeline).await {
        Ok(answers) => answers.values,
        Err(error) => {
            let mend = match error.kind {
                PollErrorKind::Login => {
                    "put the user and password into the url (url_env and url_file keep it out of the file)"
                }
                PollErrorKind::Exhausted => "raise maxclients or end idle clients",
                _ => "",
            };
            return vec![DoctorLine::lacking(Severity::Critical, &error.to_string(), mend)];
        }
    };
    let [info, who, slow, scan] = answers.as_slice() else { return Vec::new() };
    let user = resp::text(who).unwrap_or_else(|| "<user>".into());
    let rule = |rule: &str| format!("ACL SETUSER {user} {rule}");
    let mut lines = Vec::new();
    if resp::refusal(info).is_some() {
        let what = format!("reachable as {user}, but INFO is refused: nothing can be shown");
        lines.push(DoctorLine::lacking(Severity::Critical, &what, &rule("+info")));
        return lines;
    }
    let text = resp::text(info).unwrap_or_default();
    let info = Info::parse(&text);
    let sample = info.sample();
    lines.push(DoctorLine::fine(&format!("{} answers, logged in as {user}", sample.product)));
    for (value, what, grant) in [
        (slow, "the slow log is refused: slow commands stay unseen", "+slowlog|get +slowlog|len"),
        (scan, "SCAN is refused: no namespace can be measured or cleared", "+scan"),
    ] {
        if resp::refusal(value).is_some() {
            lines.push(DoctorLine::lacking(Severity::Warning, what, &rule(grant)));
        }
    }
    if sample.max_memory.is_none() {
        lines.push(DoctorLine::lacking(
            Severity::Warning,
            "maxmemory is not set: the kernel's OOM killer is its limit",
            "CONFIG SET maxmemory <bytes> and a maxmemory-policy, then CONFIG REWRITE",
        ));
    }
    if info.is_cluster() {
        lines.push(DoctorLine::lacking(
            Severity::Warning,
            "a member of a cluster: only its own share of the keys is seen; a clear goes over all masters",
            "",
        ));
    }
    if sample.role.as_str() == "slave" && !spec.namespaces.is_empty() {
        lines.push(DoctorLine::lacking(
            Severity::Warning,
            "a replica: namespaces cannot be cleared here",
            "point the url at the master",
        ));
    }
    lines.extend(clearing(&spec, &mut connection, &user).await);
    let major = info.text("redis_version").and_then(|it| it.split('.').next()?.parse().ok()).unwrap_or(0);
    if major >= SELECTORS {
        lines.extend(protection(&spec, &mut connection, &user).await);
    }
    lines
}

/// Whether only this program's own rule protects a namespace, and the user whom the server holds to it too.
async fn protection(spec: &TargetSpec, connection: &mut Resp, user: &str) -> Option<DoctorLine> {
    let (shut, open): (Vec<&Namespace>, Vec<_>) = spec.namespaces.iter().partition(|it| it.protected);
    if shut.is_empty() || open.is_empty() {
        return None;
    }
    let mut pipeline = redis::pipe();
    for namespace in &shut {
        let key = format!("{}x", namespace.prefix);
        pipeline.cmd("ACL").arg("DRYRUN").arg(user).arg("UNLINK").arg(key);
    }
    let answers = connection.ask(&pipeline).await.ok()?.values;
    let told = |value: &redis::Value| resp::text(value).as_deref() == Some("OK");
    let only_here: Vec<_> = shut.iter().zip(&answers).filter(|(_, it)| told(it)).map(|(it, _)| it).collect();
    let names: Vec<_> = only_here.iter().map(|it| it.name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    // A pattern cannot leave a part of its keys out: such a namespace is left to the config.
    let inside = |key: &str| shut.iter().any(|shut| shut.prefix.starts_with(key));
    let keys: Vec<_> =
        open.iter().filter(|it| !inside(&it.prefix)).map(|it| format!("~{}", it.pattern())).collect();
    let mut rules = vec![format!("ACL SETUSER warroom reset on '><password>' '%R~*' {READS}")];
    if !keys.is_empty() {
        rules.push(format!("'({} +unlink +pexpire)'", keys.join(" ")));
    }
    for namespace in &open {
        let Some(key) = &namespace.version_key else { continue };
        let key = Namespace { prefix: key.clone(), ..(*namespace).clone() }.pattern();
        rules.push(format!("'(~{} +incr)'", key.trim_end_matches('*')));
    }
    let mend = rules.join(" ");
    let what =
        format!("{} protected by the config alone: the server would let {user} clear it", names.join(", "));
    Some(DoctorLine::lacking(Severity::Unknown, &what, &mend))
}

/// Whether the server would let each namespace be cleared; it is asked, nothing is tried.
async fn clearing(spec: &TargetSpec, connection: &mut Resp, user: &str) -> Vec<DoctorLine> {
    let clearable: Vec<_> = spec.namespaces.iter().filter(|namespace| !namespace.protected).collect();
    if clearable.is_empty() {
        return Vec::new();
    }
    let mut pipeline = redis::pipe();
    for namespace in &clearable {
        let key = format!("{}x", namespace.prefix);
        pipeline.cmd("ACL").arg("DRYRUN").arg(user).arg("UNLINK").arg(key);
    }
    let Ok(answers) = connection.ask(&pipeline).await else { return Vec::new() };
    let mut lines = Vec::new();
    for (namespace, value) in clearable.iter().zip(&answers.values) {
        let (name, pattern) = (&namespace.name, namespace.pattern());
        if resp::refusal(value).is_some() {
            let what = format!("whether namespace {name} may be cleared cannot be asked before the try");
            lines.push(DoctorLine::lacking(
                Severity::Unknown,
                &what,
                &format!("ACL SETUSER {user} +acl|dryrun"),
            ));
        } else if resp::text(value).as_deref() == Some("OK") {
            lines.push(DoctorLine::fine(&format!("namespace {name} ({}) may be cleared", namespace.prefix)));
        } else {
            let what = format!("the server would refuse to clear namespace {name}");
            let mend = format!("ACL SETUSER {user} '(+unlink ~{pattern})'");
            lines.push(DoctorLine::lacking(Severity::Warning, &what, &mend));
        }
    }
    lines
}
