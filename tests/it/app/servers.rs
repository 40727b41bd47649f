//! Changing a server behind a proxy from its row: what is meant, and what greys the keys.

use warroom::app::{Effect, hints};
use warroom::model::{
    Intent, ProxyBackend, ProxyProcess, ProxySample, ProxyServer, Sample, ServerChange, ServerState,
};

use super::bench::Bench;

fn edge(bench: &mut Bench, level: Option<&str>) {
    let server = |name: &str| ProxyServer {
        name: name.into(),
        state: ServerState::Up,
        status: "UP".into(),
        ..ProxyServer::default()
    };
    let app = ProxyBackend {
        name: "app".into(),
        up: true,
        servers: vec![server("web1"), server("web2")],
        ..ProxyBackend::default()
    };
    let process = level.map(|level| ProxyProcess { level: Some(level.into()), ..ProxyProcess::default() });
    let sample = ProxySample { process, backends: vec![app], ..ProxySample::default() };
    bench.take("edge", Ok(Sample::Proxy(Box::new(sample))));
}

fn drain_is_greyed(bench: &Bench) -> Option<String> {
    let all = hints(&bench.app);
    all.into_iter().find(|hint| hint.key == "D").expect("D is shown here").why_not
}

#[test]
fn the_selected_server_is_drained_and_what_permits_no_change_greys_the_key() {
    let mut bench = Bench::new();
    edge(&mut bench, Some("admin"));
    bench.press("1");
    assert!(drain_is_greyed(&bench).expect("a backend is no server").contains("choose one of its servers"));
    bench.press("down");
    assert_eq!(drain_is_greyed(&bench), None);
    let effects = bench.press("D");
    let [Effect::Plan(_, Intent::SetServer { target, backend, server, to })] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((target.as_str(), backend.as_str(), server.as_str()), ("edge", "app", "web1"));
    assert_eq!(*to, ServerChange::Drain);
    bench.press("esc :");
    let effects = bench.enter("weight 50");
    let [Effect::Plan(_, Intent::SetServer { to: ServerChange::Weight(50), .. })] = &effects[..] else {
        panic!("{effects:?}")
    };
    bench.press("esc");
    edge(&mut bench, Some("operator"));
    assert!(drain_is_greyed(&bench).expect("not permitted").contains("level is operator"));
    assert!(bench.press("D").is_empty(), "nothing is planned");
    edge(&mut bench, None);
    assert!(drain_is_greyed(&bench).expect("not permitted").contains("can only be read"));
}
