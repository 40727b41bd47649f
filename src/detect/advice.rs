//! What a good colleague would say to look at or do where a rule knows no remedy of its own. Nothing
//! here can be done by a key; it is told in fifty letters, so that it is whole on the smallest screen.

use crate::model::{Culprit, Finding, HostSample, PollErrorKind, Queue, Remedy, Sample};
use crate::store::{Store, Target};

/// Share of a machine's processors or memory from which on a program is worth naming.
const CULPRIT: f64 = 0.15;
/// Share of processor time from which on its taking away is the matter.
const STOLEN: f64 = 0.10;

/// Gives a finding advice if it has no remedy and there is something to say.
pub(super) fn advise(finding: &mut Finding, store: &Store) {
    if finding.remedy.is_none() {
        finding.remedy = advice(finding, store).map(Remedy::advice);
    }
}

fn advice(finding: &Finding, store: &Store) -> Option<String> {
    let target = store.target(&finding.target);
    let says = match finding.rule.as_str() {
        "cpu_busy" => return processor(target?),
        "memory_pressure" => return memory(target?),
        "disk_pressure" => return Some(disk(finding.culprit.as_ref())),
        "network_loss" if matches!(finding.culprit, Some(Culprit::Device { .. })) => {
            "more workers for that port, or a longer backlog"
        }
        "network_loss" => "look at the way there: ss -ti, ip -s link",
        "no_answer" => return Some(no_answer(target?).to_owned()),
        "db_load" => "its Statements tab: what costs most",
        "replication" => "look at that standby: disk, long queries, network",
        "requests_wait" => "see what its servers wait for; raise their limit",
        "server_slow" => "see what that server does that others do not",
        "proxy_full" => "end what holds its connections, or raise maxconn",
        "cache_fill" if target.is_some_and(|it| it.info.kind == "memcached") => "give it more memory: its -m",
        "cache_fill" => "raise maxmemory, or name its namespaces to clear",
        "slow_ping" | "busy_cache" => "its Commands tab: what its time goes into",
        "backlog" if no_workers(finding, store) => "start its workers",
        "backlog" | "overrun" => "more workers, or see what its jobs wait for",
        "slow_job" | "stuck_workers" => "see what that job waits for, then restart it",
        "idle_workers" => "see whether they listen to it, then restart them",
        "dead_jobs" => "read the error of one; try them again when mended",
        "poison_job" => "read its error in the worker's log, then mend it",
        "orphaned_jobs" => "see why its worker went; most libraries try again",
        "scheduler" => "see that its scheduler runs, or a worker that wakes",
        "broker_alarm" => "make room on that node; consumers empty queues",
        "broker_apart" => "restart the nodes of the side to give up",
        "broker_node" => "start it again; its log tells why it went",
        "queue_unusable" => "bring back the node that holds it",
        "pooler_clients" => "see who opens so many, or raise max_client_conn",
        "sentinels" => "start the Sentinels that are silent",
        _ => return None,
    };
    Some(says.to_owned())
}

fn no_workers(finding: &Finding, store: &Store) -> bool {
    let sample = store.target(&finding.target.target()).and_then(|target| target.sample.as_deref());
    let Some(Sample::Queue(sample)) = sample.map(|sample| &sample.it) else { return false };
    let named = |queue: &&Queue| finding.target.row_name() == Some(queue.name.as_str());
    sample.queues.iter().find(named).is_some_and(|queue| queue.workers == Some(0))
}

fn host(target: &Target) -> Option<&HostSample> {
    match target.sample.as_deref().map(|sample| &sample.it) {
        Some(Sample::Host(host)) => Some(host),
        _ => None,
    }
}

fn processor(target: &Target) -> Option<String> {
    let sample = host(target)?;
    let stolen = target.host_rates().and_then(|rates| rates.cpu).map_or(0.0, |cpu| cpu.steal);
    if stolen >= STOLEN {
        return Some(format!("ask its host: it takes {:.0} % of the time away", stolen * 100.0));
    }
    let most = sample.programs.iter().max_by(|a, b| a.cores.total_cmp(&b.cores));
    let most = most.filter(|it| it.cores >= f64::from(sample.cores.max(1)) * CULPRIT);
    Some(match most {
        Some(it) if it.name.as_str() == "postgres" => "Postgres, Statements: what costs most".into(),
        Some(it) if it.processes <= 1 => format!("stop {}, or renice -n 10 -p {}", it.name, it.pid),
        Some(it) => format!("stop or renice {}, or give it other hours", it.name),
        None => "see what runs there: top".into(),
    })
}

fn memory(target: &Target) -> Option<String> {
    let sample = host(target)?;
    let total = sample.memory.map_or(0, |memory| memory.total) as f64;
    let largest = sample.programs.iter().max_by_key(|it| it.largest);
    Some(match largest.filter(|it| total > 0.0 && it.largest as f64 >= total * CULPRIT) {
        Some(it) => format!("restart or shrink {} (pid {})", it.name, it.pid),
        None => "see who holds it there: ps aux --sort -rss".into(),
    })
}

/// A mount is filled, a device is busy.
fn disk(culprit: Option<&Culprit>) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    match culprit {
        Some(Culprit::Device { name }) if name.as_str().starts_with('/') => {
            let mount = name.as_str();
            let short = mount.len() <= 17 && mount.chars().all(plain);
            format!("see what grows: du -xh {} | sort -h", if short { mount } else { "there" })
        }
        _ => "see who reads and writes there: iotop -o".into(),
    }
}

const fn no_answer(target: &Target) -> &'static str {
    let Some(error) = &target.error else { return "see what keeps it; its own pane tells more" };
    match error.it.kind {
        PollErrorKind::Unreachable => "start it, or see in its log why it stopped",
        PollErrorKind::Timeout => "look at its machine: it is there and hangs",
        PollErrorKind::Garbage => "see who listens there now",
        PollErrorKind::Exhausted => "free connections there, or raise its limit",
        PollErrorKind::Unavailable => "its log tells how far it is; it may need time",
        PollErrorKind::Login | PollErrorKind::Rights | PollErrorKind::Unsupported | PollErrorKind::Config => {
            "warroom doctor tells what is missing"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SafeText;

    #[test]
    fn what_is_to_be_typed_names_only_a_plain_mount() {
        let mount = |name: &str| disk(Some(&Culprit::Device { name: SafeText::new(name) }));
        assert_eq!(mount("/var/lib"), "see what grows: du -xh /var/lib | sort -h");
        assert_eq!(mount("/mnt/$(reboot)"), "see what grows: du -xh there | sort -h");
        assert_eq!(mount("vda"), "see who reads and writes there: iotop -o");
        assert_eq!(mount("/a/mount/of/17/by").len(), 50);
        assert_eq!(mount("/a/mount/of/18/byt"), "see what grows: du -xh there | sort -h");
    }
}
