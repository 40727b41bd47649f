//! HAProxy's statistics, as the proxy question's sample. Pure.

use crate::dial::{HaproxyRow as Row, HaproxyTable as Table};
use crate::model::{
    Missing, ProxyBackend, ProxyProcess, ProxySample, ProxyServer, SafeText, ServerState, Untold,
};

/// Most servers told of, over all backends.
const MOST_SERVERS: usize = 5_000;
/// What a socket may permit.
const LEVELS: [&str; 3] = ["user", "operator", "admin"];
/// Values of the column `type`.
const BACKEND: u64 = 1;
const SERVER: u64 = 2;

/// Parses the answer to `show info;show stat`, or the CSV page alone. The error says what came instead.
pub(super) fn sample(text: &str) -> Result<ProxySample, String> {
    let at = if text.starts_with("# pxname,") { Some(0) } else { text.find("\n# pxname,").map(|at| at + 1) };
    let Some((info, table)) = at.map(|at| text.split_at(at)) else { return Err(instead(text)) };
    let table = Table::new(table).ok_or("the statistics break off in their first line")?;
    let mut sample = ProxySample { process: process(info), ..ProxySample::default() };
    if sample.process.is_none() {
        sample.missing.push(Missing::new(
            "process",
            "the statistics page does not tell of the process; the runtime socket does (url = \"unix:…\")",
        ));
    }
    if let Some((one, all)) = one_of_several(info) {
        let why = format!("this is process {one} of {all}, and each counts for itself (`nbproc`)");
        sample.missing.push(Missing::new("other processes", &why));
    }
    let (mut servers, mut left_out, mut without_address) = (0, 0, false);
    table.rows(|row| match (row.number("type"), row.text("pxname")) {
        (Some(SERVER), Some(name)) if servers < MOST_SERVERS => {
            let server = server(row);
            without_address |= server.address.is_none();
            servers += 1;
            backend_of(&mut sample.backends, name).servers.push(server);
        }
        (Some(SERVER), Some(_)) => left_out += 1,
        (Some(BACKEND), Some(name)) => fill(backend_of(&mut sample.backends, name), row),
        _ => {}
    });
    // A proxy section that only answers by itself (statistics, redirects) has nothing to wait for.
    sample.backends.retain(|backend| !backend.servers.is_empty());
    for backend in &mut sample.backends {
        let pinned: u64 = backend.servers.iter().map(|server| server.queue).fold(0, u64::saturating_add);
        backend.queue = backend.queue.saturating_add(pinned);
        backend.in_flight =
            backend.servers.iter().map(|server| server.in_flight).fold(0, u64::saturating_add);
    }
    if left_out > 0 {
        sample
            .missing
            .push(Missing::new("servers", &format!("{left_out} over the first {MOST_SERVERS} left out")));
    }
    if without_address {
        sample.missing.push(Missing::new(
            "server addresses",
            "told only at level operator (`stats socket … level operator`) or with `stats show-legends`; \
             without them no accept queue can be looked up",
        ));
    }
    Ok(sample)
}

/// What an answer that holds no statistics seems to be.
fn instead(text: &str) -> String {
    let start = text.trim_start();
    let lower: String = start.chars().take(200).collect::<String>().to_ascii_lowercase();
    if start.is_empty() {
        "an empty answer".into()
    } else if lower.starts_with("<!doctype html") || lower.contains("<html") {
        "a web page, not statistics as CSV; is this the `stats uri` of HAProxy?".into()
    } else {
        let first: String = start.lines().next().unwrap_or_default().chars().take(60).collect();
        format!("no statistics as CSV but {:?}", SafeText::new(&first).as_str())
    }
}

/// Rows of one backend may stand apart (several processes): they are joined by name.
fn backend_of<'b>(backends: &'b mut Vec<ProxyBackend>, name: &str) -> &'b mut ProxyBackend {
    let known = match backends.last() {
        // Nearly always the last one: rows of a backend stand together.
        Some(last) if last.name.as_str() == name => Some(backends.len() - 1),
        _ => backends.iter().position(|it| it.name.as_str() == name),
    };
    let at = known.unwrap_or_else(|| {
        backends.push(ProxyBackend { name: SafeText::new(name), ..ProxyBackend::default() });
        backends.len() - 1
    });
    &mut backends[at]
}

fn fill(backend: &mut ProxyBackend, row: &Row<'_, '_>) {
    let count = |name| row.number(name).unwrap_or(0);
    backend.up |= row.text("status").is_some_and(|status| status.starts_with("UP"));
    backend.queue = backend.queue.saturating_add(count("qcur"));
    // In TCP mode there are sessions only.
    backend.requests =
        backend.requests.saturating_add(row.number("req_tot").unwrap_or_else(|| count("stot")));
    backend.errors_5xx = backend.errors_5xx.saturating_add(count("hrsp_5xx"));
    backend.connect_errors = backend.connect_errors.saturating_add(count("econ"));
    backend.retries = backend.retries.saturating_add(count("wretr"));
}

fn server(row: &Row<'_, '_>) -> ProxyServer {
    let count = |name| row.number(name).unwrap_or(0);
    let status = row.text("status").unwrap_or_default();
    ProxyServer {
        name: SafeText::new(row.text("svname").unwrap_or_default()),
        address: row.text("addr").map(SafeText::new),
        state: state(status),
        status: SafeText::new(status),
        check: check(row),
        backup: row.number("bck") == Some(1),
        weight: row.number("uweight").or_else(|| row.number("weight")),
        queue: count("qcur"),
        in_flight: count("scur"),
        limit: row.number("slim").filter(|limit| *limit > 0),
        queue_time_ms: row.number("qtime"),
        connect_time_ms: row.number("ctime"),
        response_time_ms: row.number("rtime"),
        requests: count("stot"),
        errors_5xx: count("hrsp_5xx"),
        connect_errors: count("econ"),
        response_errors: count("eresp"),
        retries: count("wretr"),
        last_change: row.number("lastchg"),
        untold: Untold::default(),
    }
}

/// By prefix: `UP 1/3` is going down but up, `DRAIN (agent)` drains. `NOLB` takes no new requests.
fn state(status: &str) -> ServerState {
    let starts = |prefix| status.starts_with(prefix);
    if starts("UP") {
        ServerState::Up
    } else if starts("DOWN") {
        ServerState::Down
    } else if starts("DRAIN") || starts("NOLB") {
        ServerState::Drain
    } else if starts("MAINT") {
        ServerState::Maintenance
    } else {
        ServerState::Unchecked
    }
}

/// `L7STS 503 Service Unavailable`; a leading `* ` only tells that a check is running.
fn check(row: &Row<'_, '_>) -> SafeText {
    let result = row.text("check_status").map(|text| text.trim_start_matches("* "));
    let parts = [result, row.text("check_code"), row.text("last_chk")];
    SafeText::new(&parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

/// The answer to `show info`; `None` when there is no pid in it.
fn process(info: &str) -> Option<ProxyProcess> {
    let field = |wanted: &str| {
        info.lines().find_map(|line| line.strip_prefix(wanted)?.strip_prefix(": ")).map(str::trim)
    };
    let number = |wanted| field(wanted).and_then(|text| text.parse::<u64>().ok());
    Some(ProxyProcess {
        version: SafeText::new(field("Version").unwrap_or_default().split('-').next().unwrap_or_default()),
        pid: field("Pid")?.parse().ok()?,
        // The answer to `show cli level` stands before all else.
        level: info.lines().next().map(str::trim).filter(|it| LEVELS.contains(it)).map(SafeText::new),
        old: None,
        uptime: number("Uptime_sec").unwrap_or(0),
        idle: number("Idle_pct").map(|percent| percent as f64 / 100.0),
        connections: number("CurrConns").unwrap_or(0),
        max_connections: number("Maxconn"),
        dropped: None,
        ..ProxyProcess::default()
    })
}

/// Which of how many processes answers, where they are several.
fn one_of_several(info: &str) -> Option<(u32, u32)> {
    let number = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    let (one, all): (u32, u32) = (number("Process_num:")?, number("Nbproc:")?);
    (all > 1).then_some((one, all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn::each_torn_text;

    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/haproxy/2.6/", $name))
        };
    }

    #[test]
    fn a_captured_answer_is_read_by_name() {
        let sample = sample(fixture!("show_info_stat.txt")).expect("statistics");
        let process = sample.process.expect("a process");
        assert_eq!(
            (process.version.as_str(), process.idle, process.max_connections),
            ("2.6.12", Some(0.97), Some(1000))
        );
        let names: Vec<_> = sample.backends.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["app", "open"], "frontends and the statistics are not backends");
        let app = &sample.backends[0];
        assert!(app.up);
        assert_eq!((app.requests, app.errors_5xx), (31, 1));
        let [web1, web2, web3] = &app.servers[..] else { panic!("three servers") };
        assert_eq!((web1.state, web1.limit, web1.queue_time_ms), (ServerState::Up, Some(1), Some(729)));
        assert_eq!(web1.address.as_ref().map(SafeText::as_str), Some("127.0.0.1:28081"));
        assert_eq!((web2.state, web2.backup), (ServerState::Down, true));
        assert_eq!(web2.check.as_str(), "L4CON Connection refused");
        assert_eq!(web3.state, ServerState::Maintenance);
        let open = &sample.backends[1];
        assert_eq!((open.servers[0].state, open.servers[0].limit), (ServerState::Unchecked, None));
        assert_eq!((open.queue, open.in_flight), (0, 0), "21 was the most there ever were");
        assert!(sample.missing.is_empty(), "{:?}", sample.missing);
    }

    #[test]
    fn what_a_door_does_not_tell_is_a_gap() {
        let gaps = |text| {
            let sample = sample(text).expect("statistics");
            sample.missing.iter().map(|gap| gap.what.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(gaps(fixture!("user_level.txt")), ["server addresses"]);
        assert_eq!(gaps(fixture!("stats.csv")), ["process"]);
    }

    #[test]
    fn states_go_by_prefix_and_queues_add_up() {
        for (status, wanted) in [
            ("UP 1/3", ServerState::Up),
            ("DOWN (agent)", ServerState::Down),
            ("DOWN 1/2", ServerState::Down),
            ("DRAIN 1/3", ServerState::Drain),
            ("NOLB", ServerState::Drain),
            ("MAINT (via app/web1)", ServerState::Maintenance),
            ("no check", ServerState::Unchecked),
            ("", ServerState::Unchecked),
        ] {
            assert_eq!(state(status), wanted, "{status}");
        }
        let csv = "# pxname,svname,qcur,type,slim,status,req_tot,stot,scur\n\
                   a,s1,2,2,0,UP,,5,3\na,s2,1,2,4,UP,,5,4\na,BACKEND,7,1,100,UP,,9,50\n";
        let sample = sample(csv).expect("statistics");
        assert_eq!((sample.backends[0].queue, sample.backends[0].requests), (10, 9));
        assert_eq!(sample.backends[0].in_flight, 7, "those in the queue are not in flight");
        assert_eq!(sample.backends[0].servers[0].limit, None, "0 means no limit");
    }

    #[test]
    fn what_is_no_statistics_is_named() {
        let told = |text| sample(text).expect_err("no statistics");
        assert!(told("<html><body>x").contains("web page"));
        assert!(told("  \n").contains("empty"));
        assert!(told("Permission denied\n").contains("Permission denied"));
        assert!(!told("\u{1b}[2Jx").contains('\u{1b}'));
    }

    #[test]
    fn torn_answers_are_read_or_refused() {
        each_torn_text(fixture!("show_info_stat.txt"), |torn| drop(sample(torn)));
        each_torn_text(fixture!("stats.csv"), |torn| drop(sample(torn)));
    }
}
