//! What a cache allows, what is missing, and the rule or setting that mends it.

use super::super::resp::{self, Resp};
use super::info::Info;
use super::rights::{self, Account, Users};
use crate::config::TargetSpec;
use crate::model::{CacheSample, DoctorLine, Namespace, PollErrorKind, SentinelSample, Severity};

/// Examines one cache on a connection of its own.
pub(super) async fn examine(spec: TargetSpec) -> Vec<DoctorLine> {
    let mut connection = match Resp::new(&spec) {
        Ok(connection) => connection,
        Err(why) => return vec![DoctorLine::lacking(Severity::Critical, &why, "correct the url")],
    };
    let mut pipeline = redis::pipe();
    pipeline.cmd("INFO").arg("all");
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
    let [answer] = answers.as_slice() else { return Vec::new() };
    let text = resp::text(answer).unwrap_or_default();
    let info = Info::parse(&text);
    let major = info.text("redis_version").and_then(|it| it.split('.').next()?.parse().ok()).unwrap_or(0);
    let account = Account::find(&mut connection, major).await;
    let user = &account.user;
    let mut lines = Vec::new();
    if resp::refusal(answer).is_some() {
        let what = format!("reachable as {user}, but INFO is refused: nothing can be shown");
        lines.push(DoctorLine::lacking(Severity::Critical, &what, &account.rule("+info")));
        return lines;
    }
    let sample = info.sample();
    lines.push(DoctorLine::fine(&match account.users {
        Users::Nobody => format!("{} answers; it knows no users", sample.product),
        _ => format!("{} answers, logged in as {user}", sample.product),
    }));
    lines.extend(connection.sentinel().map(|it| sentinels(&it)).unwrap_or_default());
    lines.extend(rights::lacking(&spec, &mut connection, &account, info.is_cluster()).await);
    lines.extend(settings(&spec, &sample, info.is_cluster()));
    lines.extend(clearing(&spec, &mut connection, &account).await);
    lines.extend(protection(&spec, &mut connection, &account).await);
    lines
}

/// Who watches over the master, and whether enough of them can be reached from here.
fn sentinels(seen: &SentinelSample) -> Vec<DoctorLine> {
    let SentinelSample { master, address, asked, answered, agree, known, quorum, replicas, .. } = seen;
    let mut lines = vec![DoctorLine::fine(&format!(
        "{answered} of {asked} Sentinels answer: the master of {master} is {address}, {known} watch it, \
         {quorum} must agree on a failover, {replicas} replicas stand by"
    ))];
    let mut warn = |what: &str, mend: &str| lines.push(DoctorLine::lacking(Severity::Warning, what, mend));
    for silent in &seen.silent {
        warn(&format!("Sentinel {} {}", silent.what, silent.why), "");
    }
    if agree < answered {
        warn("not all Sentinels name the same master", "the latest failover counts; wait until it is over");
    }
    if known < quorum || *known < 3 {
        warn(
            &format!("{known} Sentinels watch it, {quorum} must agree: a failed master may not be replaced"),
            "run at least three, each on a machine of its own",
        );
    }
    if *replicas == 0 {
        warn("no replica stands by: a failed master cannot be replaced", "");
    }
    lines
}

/// What is set in a way that bites.
fn settings(spec: &TargetSpec, sample: &CacheSample, is_cluster: bool) -> Vec<DoctorLine> {
    let warn = |what: &str, mend: &str| DoctorLine::lacking(Severity::Warning, what, mend);
    let mut lines = Vec::new();
    if sample.max_memory.is_none() {
        lines.push(warn(
            "maxmemory is not set: the kernel's OOM killer is its limit",
            "CONFIG SET maxmemory <bytes> and a maxmemory-policy, then CONFIG REWRITE",
        ));
    }
    if is_cluster {
        let what =
            "a member of a cluster: each of its masters is polled by itself, and a clear goes over all";
        lines.push(DoctorLine::fine(what));
    }
    if sample.role.as_str() == "slave" && !is_cluster && !spec.namespaces.is_empty() {
        lines.push(warn("a replica: namespaces cannot be cleared here", "point the url at the master"));
    }
    lines
}

/// Whether the server would let each namespace be cleared; it is asked, nothing is tried.
async fn clearing(spec: &TargetSpec, connection: &mut Resp, account: &Account) -> Vec<DoctorLine> {
    let clearable: Vec<_> = spec.namespaces.iter().filter(|namespace| !namespace.protected).collect();
    if clearable.is_empty() {
        return Vec::new();
    }
    if account.users == Users::Plain {
        let what = "whether a namespace may be cleared is only known at the try: this server does not tell";
        return vec![DoctorLine::lacking(Severity::Unknown, what, "")];
    }
    let told = match account.users {
        Users::Selectors => dry_run(connection, account, &clearable).await,
        _ => clearable.iter().map(|_| Some(true)).collect(),
    };
    let mut lines = Vec::new();
    for (namespace, may) in clearable.iter().zip(told) {
        let (name, pattern) = (&namespace.name, namespace.pattern());
        lines.push(match may {
            None => {
                let what = format!("whether namespace {name} may be cleared cannot be asked before the try");
                DoctorLine::lacking(Severity::Unknown, &what, &account.rule("+acl|dryrun"))
            }
            Some(true) => {
                DoctorLine::fine(&format!("namespace {name} ({}) may be cleared", namespace.prefix))
            }
            Some(false) => {
                let what = format!("the server would refuse to clear namespace {name}");
                let mend = account.rule(&format!("'(+unlink ~{pattern})'"));
                DoctorLine::lacking(Severity::Warning, &what, &mend)
            }
        });
    }
    lines
}

/// Whether only this program's own rule protects a namespace, and the user whom the server holds to it too.
async fn protection(spec: &TargetSpec, connection: &mut Resp, account: &Account) -> Option<DoctorLine> {
    let (shut, open): (Vec<&Namespace>, Vec<_>) = spec.namespaces.iter().partition(|it| it.protected);
    if shut.is_empty() || open.is_empty() {
        return None;
    }
    let user = &account.user;
    let names = |which: &[&Namespace]| which.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ");
    let (what, mend) = match account.users {
        Users::Nobody => {
            let what = format!("{} protected by the config alone: this server knows no users", names(&shut));
            (what, String::new())
        }
        Users::Plain if user == "warroom" => return None,
        Users::Plain => {
            let what = format!(
                "{} protected by the config; whether the server would let {user} clear it, it does not tell",
                names(&shut)
            );
            (what, account.guarded(&shut, &open))
        }
        Users::Selectors => {
            let told = dry_run(connection, account, &shut).await;
            let only_here = shut.iter().zip(told).filter(|(_, may)| *may == Some(true));
            let only_here: Vec<&Namespace> = only_here.map(|(it, _)| *it).collect();
            if only_here.is_empty() {
                return None;
            }
            let what = format!(
                "{} protected by the config alone: the server would let {user} clear it",
                names(&only_here)
            );
            (what, account.guarded(&shut, &open))
        }
    };
    Some(DoctorLine::lacking(Severity::Unknown, &what, &mend))
}

/// Whether the server would let keys of each be removed; `None` where it does not tell.
async fn dry_run(connection: &mut Resp, account: &Account, namespaces: &[&Namespace]) -> Vec<Option<bool>> {
    let mut pipeline = redis::pipe();
    for namespace in namespaces {
        let key = format!("{}x", namespace.prefix);
        pipeline.cmd("ACL").arg("DRYRUN").arg(&account.user).arg("UNLINK").arg(key);
    }
    match connection.ask(&pipeline).await {
        Ok(answers) => {
            let told = |value| match resp::refusal(value) {
                Some(_) => None,
                None => Some(resp::text(value).as_deref() == Some("OK")),
            };
            answers.values.iter().map(told).collect()
        }
        Err(_) => namespaces.iter().map(|_| None).collect(),
    }
}
