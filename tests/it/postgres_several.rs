//! Several servers in one console: which one has what, keys that act on the right one, and one that hangs.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use warroom::config::TargetSpec;
use warroom::feed::Live;
use warroom::lab;
use warroom::lab::postgres::Postgres;
use warroom::model::{Fact, TargetId};
use warroom::shell::clock;

use super::postgres::{Client, accounts, server};
use super::postgres_actions::pile;
use super::pty::{Start, Terminal};

/// Until a dialog takes its key.
const ARMED: Duration = Duration::from_millis(600);

fn config(servers: &[(&str, &Postgres)], journal: &std::path::Path) -> String {
    let target = |(id, server): &(&str, &Postgres)| {
        let url = server.url("warroom");
        format!("[[target]]\nid = \"{id}\"\nkind = \"postgres\"\nurl = \"{url}\"\n")
    };
    let targets: String = servers.iter().map(target).collect();
    format!("{targets}[journal]\npath = \"{}\"\n", journal.display())
}

#[tokio::test]
async fn on_a_small_screen_too_each_root_tells_its_server_and_is_ended_there() {
    let (primary, billing, mut reports) = (server(&[]), server(&[]), server(&[]));
    let mut holders = Vec::new();
    let mut waiting = Vec::new();
    for (one, name, count) in [(&primary, "web.3", 4), (&billing, "invoicer", 3)] {
        accounts(one).await;
        let mut holder = Client::new(one, name).await;
        holder.run("begin; update accounts set n = 1 where id = 1").await;
        holders.push(holder);
        waiting.extend(pile(one, count).await);
    }
    let folder = lab::Folder::temporary("several").unwrap();
    let servers = [("primary", &primary), ("billing", &billing), ("reports", &reports)];
    let config = config(&servers, &folder.path().join("journal.jsonl"));
    let mut terminal = Terminal::start(&Start { config: &config, size: (80, 24), ..Start::default() });
    terminal.until_says("4 wait");
    reports.process().freeze();
    terminal.until_says("reports down");
    terminal.keys("2\r");
    let (web, invoicer) = (holders[0].pid.to_string(), holders[1].pid.to_string());
    terminal.until("each root beside its server", |screen| {
        let lines: Vec<String> = screen.rows(0, 80).collect();
        // Not the verdict's line, which says `idle in transaction`.
        let told = |pid: &str, on: &str| {
            lines.iter().any(|line| [pid, "idle in tx ", on].iter().all(|it| line.contains(it)))
        };
        told(&web, "primary") && told(&invoicer, "billing")
    });
    terminal.keys("/invoicer\r");
    terminal.until("the other server's root alone", |screen| {
        screen.rows(0, 80).any(|line| line.starts_with('▶') && line.contains(&invoicer))
    });
    terminal.keys("K");
    terminal.until_says(&format!("End pid {invoicer} on billing"));
    terminal.until_says("3 of 3 waiters");
    terminal.listen(ARMED);
    terminal.keys("y");
    terminal.until_says("3 of 3 that waited go on");
    let mut invoicer = holders.pop().unwrap();
    assert!(invoicer.try_run("select 1").await.is_err(), "the holder on billing was ended");
    holders[0].run("rollback").await;
    for one in waiting {
        one.end().await.1.unwrap();
    }
    terminal.keys("\r");
    reports.process().thaw();
    terminal.until_says("3 up");
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
}

#[tokio::test]
async fn one_that_hangs_costs_the_others_no_reading() {
    let (primary, billing, mut reports) = (server(&[]), server(&[]), server(&[]));
    let spec = |(id, server): (&str, &Postgres)| {
        let mut spec =
            TargetSpec::new(TargetId::parse(id).unwrap(), "postgres").with_url(&server.url("warroom"));
        (spec.every, spec.timeout) = (Duration::from_secs(1), Duration::from_secs(3));
        spec
    };
    let specs = [("primary", &primary), ("billing", &billing), ("reports", &reports)].map(spec);
    let mut feed = Live::start(specs.to_vec(), clock::now).unwrap();
    // Answers, and failures, of each.
    let mut heard: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    let began = Instant::now();
    let mut frozen = false;
    while heard.get("reports").is_none_or(|[_, failed]| *failed < 2) {
        assert!(began.elapsed() < Duration::from_secs(120), "{heard:?}");
        let Ok(Some(at)) = timeout(Duration::from_secs(60), feed.next()).await else { continue };
        let Fact::Reading(reading) = at.it else { continue };
        heard.entry(reading.target.to_string()).or_default()[usize::from(reading.sample.is_err())] += 1;
        if !frozen && heard.len() == 3 {
            reports.process().freeze();
            frozen = true;
            heard.clear();
        }
    }
    // Two failures take six seconds and more.
    for other in ["primary", "billing"] {
        let [answered, failed] = heard[other];
        assert!(answered >= 3 && failed == 0, "{other}: {answered} answers and {failed} failures; {heard:?}");
    }
    reports.process().thaw();
    loop {
        assert!(began.elapsed() < Duration::from_secs(240), "reports never answered again");
        let Ok(Some(at)) = timeout(Duration::from_secs(60), feed.next()).await else { continue };
        let Fact::Reading(reading) = at.it else { continue };
        if reading.target.to_string() == "reports" && reading.sample.is_ok() {
            return;
        }
    }
}
