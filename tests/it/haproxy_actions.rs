//! Draining, taking out, bringing back and weighing servers of a real HAProxy.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::net::{Ipv4Addr, TcpListener};

use tokio::sync::mpsc;
use warroom::actions::{Action, HaproxyActions, StopFlag};
use warroom::config::TargetSpec;
use warroom::journal::{Author, Journal};
use warroom::lab;
use warroom::model::{
    Confirm, Intent, Outcome, OutcomeKind, Plan, Sample, ServerChange, ServerState, TargetId, Timestamp,
};
use warroom::sources::Source;
use warroom::sources::haproxy::HaproxySource;

fn spec(url: &str) -> TargetSpec {
    TargetSpec::new(TargetId::parse("edge").unwrap(), "haproxy").with_url(url)
}

fn set(server: &str, to: ServerChange) -> Intent {
    let target = TargetId::parse("edge").unwrap();
    Intent::SetServer { target, backend: "app".into(), server: server.into(), to }
}

async fn act(actions: &HaproxyActions, plan: Plan) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path().join("journal.jsonl"), Author::default());
    let intended = journal.intend(plan, Timestamp::default()).unwrap();
    actions.act(&intended, mpsc::channel(1).0, StopFlag::default()).await
}

/// Plans an act on this proxy and carries it out.
pub(super) async fn plan_and_act(url: &str, intent: &Intent) -> Outcome {
    let actions = HaproxyActions::new(&spec(url));
    let plan = actions.plan(intent).await.unwrap();
    act(&actions, plan).await
}

async fn states(url: &str) -> Vec<(ServerState, Option<u64>)> {
    let mut source = HaproxySource::new(&spec(url)).unwrap();
    match source.poll().await.pop().unwrap().sample.unwrap() {
        Sample::Proxy(sample) => sample.backends[0].servers.iter().map(|it| (it.state, it.weight)).collect(),
        other => panic!("not a proxy: {other:?}"),
    }
}

fn line<'a>(plan: &'a Plan, label: &str) -> &'a str {
    plan.lines.iter().find(|line| line.label.as_str() == label).unwrap().text.as_str()
}

/// A proxy with two servers that need no check, and a socket of lower rights.
fn proxy() -> (lab::haproxy::Haproxy, TcpListener) {
    let app = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = app.local_addr().unwrap();
    let body = format!(
        "backend app\n    balance roundrobin\n    server web1 {at} weight 10\n    server web2 {at} weight 10\n"
    );
    (lab::haproxy::start(&body).unwrap(), app)
}

#[tokio::test]
async fn a_server_is_drained_verified_and_brought_back_and_the_last_one_never_goes() {
    let (proxy, _app) = proxy();
    let url = proxy.socket_url();
    let actions = HaproxyActions::new(&spec(&url));
    let plan = actions.plan(&set("web1", ServerChange::Drain)).await.unwrap();
    assert_eq!((plan.title.as_str(), &plan.confirm), ("Drain app/web1 on edge", &Confirm::Key));
    assert_eq!(line(&plan, "left"), "1 of 2 servers take new requests");
    assert_eq!(line(&plan, "undo"), "warroom server app/web1 --target edge --ready");
    assert_eq!(states(&url).await[0].0, ServerState::Unchecked, "planning changes nothing");
    let done = act(&actions, plan.clone()).await;
    assert_eq!(done.kind, OutcomeKind::Done, "{done:?}");
    assert!(done.says.as_str().starts_with("app/web1 is drained; 1 of 2 take new requests"), "{}", done.says);
    assert_eq!(states(&url).await[0].0, ServerState::Drain);

    let again = act(&actions, plan).await;
    assert_eq!(again.kind, OutcomeKind::NothingToDo, "{again:?}");
    for to in [ServerChange::Drain, ServerChange::Maintenance, ServerChange::Weight(0)] {
        let refusal = actions.plan(&set("web2", to)).await.unwrap_err();
        assert!(
            refusal.kind == OutcomeKind::Refused && refusal.says.as_str().contains("last server"),
            "{refusal}"
        );
    }
    let back = actions.plan(&set("web1", ServerChange::Ready)).await.unwrap();
    assert_eq!(act(&actions, back).await.kind, OutcomeKind::Done);
    assert_eq!(states(&url).await[0].0, ServerState::Unchecked);
}

#[tokio::test]
async fn a_weight_is_set_and_maintenance_wants_the_name() {
    let (proxy, _app) = proxy();
    let url = proxy.tcp_url();
    let actions = HaproxyActions::new(&spec(&url));
    let plan = actions.plan(&set("web1", ServerChange::Weight(3))).await.unwrap();
    assert_eq!(line(&plan, "undo"), "warroom server app/web1 --target edge --weight 10");
    assert_eq!(act(&actions, plan).await.kind, OutcomeKind::Done);
    assert_eq!(states(&url).await[0].1, Some(3));

    let plan = actions.plan(&set("web2", ServerChange::Maintenance)).await.unwrap();
    assert_eq!(plan.confirm, Confirm::Name("app/web2".into()));
    // Somebody else drains the other one meanwhile: this one would then be the last.
    let other = actions.plan(&set("web1", ServerChange::Drain)).await.unwrap();
    assert_eq!(act(&actions, other).await.kind, OutcomeKind::Done);
    let late = act(&actions, plan).await;
    assert_eq!(late.kind, OutcomeKind::Refused, "{late:?}");
    assert_eq!(states(&url).await[1].0, ServerState::Unchecked, "nothing was done");
}

#[tokio::test]
async fn without_the_right_or_the_thing_nothing_is_done() {
    let (proxy, _app) = proxy();
    let refused = async |url: &str, intent: Intent| {
        HaproxyActions::new(&spec(url)).plan(&intent).await.unwrap_err().says.to_string()
    };
    let says = refused(&proxy.http_url(), set("web1", ServerChange::Drain)).await;
    assert!(says.contains("can only be read"), "{says}");
    let says = refused(&proxy.socket_url(), set("web9", ServerChange::Drain)).await;
    assert!(says.contains("has no server"), "{says}");
    let says = refused(&proxy.socket_url(), set("web1 weight 0;shutdown", ServerChange::Drain)).await;
    assert!(says.contains("no name"), "{says}");

    let folder = tempfile::tempdir().unwrap();
    let weak = folder.path().join("weak.sock");
    let port = lab::free_port().unwrap();
    let body = format!(
        "backend app\n    server web1 127.0.0.1:{port}\n    server web2 127.0.0.1:{port}\n\
         global\n    stats socket {} mode 600 level operator\n",
        weak.display()
    );
    let _proxy = lab::haproxy::start(&body).unwrap();
    let says = refused(&format!("unix:{}", weak.display()), set("web1", ServerChange::Drain)).await;
    assert!(says.contains("level is operator") && says.contains("level admin"), "{says}");
}
