//! What happened, and whom it is told.

use warroom::app::{Effect, EventKind, Msg, Pane, Place, Tab};
use warroom::model::{At, Fact, Finding, Mark, Resource, Severity};

use super::bench::{Bench, id, outcome, pile_up, plan};

fn announced(bench: &Bench) -> Vec<(String, bool)> {
    let announced = |effect: &Effect| match effect {
        Effect::Announce { says, critical } => Some((says.clone(), *critical)),
        _ => None,
    };
    bench.effects.iter().filter_map(announced).collect()
}

fn calm(bench: &mut Bench, seconds: usize) {
    for _ in 0..seconds {
        let mut sample = pile_up();
        sample.backends.truncate(0);
        bench.second(sample);
    }
}

#[test]
fn a_verdict_is_announced_once_and_its_end_too() {
    let mut bench = Bench::new();
    bench.seconds(20);
    let told = announced(&bench);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].0.starts_with("!! LOCKS on primary") && told[0].1);
    calm(&mut bench, 120);
    let told = announced(&bench);
    assert_eq!(told.last().map(|(says, _)| says.starts_with("ok")), Some(true), "{told:?}");
    let all_clear = bench.app.events.iter().any(|event| {
        event.kind == EventKind::Finding(Severity::Ok) && event.says.as_str().starts_with("locks on primary")
    });
    assert!(all_clear, "{:?}", bench.events());
}

#[test]
fn what_cannot_be_judged_hides_no_second_incident() {
    let mut bench = Bench::new();
    for _ in 0..120 {
        let mut sample = pile_up();
        sample.backends.truncate(0);
        bench.second(sample);
        // A proxy that sees no queue: a standing `unknown`.
        bench.proxy(None);
        let effects = warroom::app::settle(&mut bench.app, bench.at);
        bench.effects.extend(effects);
    }
    let before = announced(&bench);
    assert!(!before.last().expect("the first was told").0.starts_with("!!"), "{before:?}");
    bench.seconds(5);
    assert!(announced(&bench)[before.len()..].iter().any(|(says, _)| says.starts_with("!! LOCKS")));
}

#[test]
fn an_acknowledged_finding_stays_and_does_not_ring_until_it_comes_again() {
    let mut bench = Bench::new();
    bench.press("A");
    assert_eq!(bench.app.world.acknowledged, ["root_blocker postgres.locks@primary"]);
    assert_eq!(bench.app.world.judgement.verdict.severity, Severity::Critical);
    bench.press("A");
    assert!(bench.app.world.acknowledged.is_empty());
    bench.press("A");
    calm(&mut bench, 120);
    assert!(bench.app.world.acknowledged.is_empty(), "the all-clear ends it");
    let before = announced(&bench).len();
    bench.seconds(5);
    assert_eq!(announced(&bench).len(), before + 1);
}

#[test]
fn deploys_and_the_acts_of_others_are_events_once() {
    let mut bench = Bench::new();
    let mark = Mark {
        id: "m1".into(),
        label: "v8.1.2".into(),
        note: "checkout".into(),
        by: "oncall@bastion".into(),
    };
    for _ in 0..2 {
        bench.msg(Msg::Fact(At { at: bench.at, it: Fact::Marked(mark.clone()) }));
    }
    let deploys: Vec<_> = bench.events().into_iter().filter(|says| says.starts_with("deploy")).collect();
    assert_eq!(deploys, ["deploy v8.1.2 marked by oncall@bastion \"checkout\""]);
    let intent = warroom::model::Intent::TerminateBackend { target: id("primary"), backends: Vec::new() };
    let theirs = plan(intent, 77, bench.at);
    for _ in 0..2 {
        bench.msg(Msg::Fact(At { at: bench.at, it: Fact::Intended(Box::new(theirs.clone())) }));
    }
    for _ in 0..2 {
        let ended = Box::new(outcome(&theirs.id, "ended pid 9"));
        bench.msg(Msg::Fact(At { at: bench.at, it: Fact::Settled(ended) }));
    }
    let acts = bench.app.events.iter().filter(|event| event.kind == EventKind::Act).count();
    assert_eq!(acts, 2, "{:?}", bench.events());
}

#[test]
fn what_grows_worse_at_once_is_told_as_what_it_has_become() {
    let mut bench = Bench::new();
    calm(&mut bench, 120);
    let before = bench.app.events.len();
    let mut one = pile_up();
    one.backends.truncate(2);
    one.backends[1].wait_age = Some(3.0);
    bench.second(one);
    let locks = |bench: &Bench| {
        let new = bench.app.events.iter().skip(before);
        new.filter(|event| event.says.as_str().starts_with("locks on primary"))
            .map(|event| event.kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(locks(&bench), [EventKind::Finding(Severity::Warning)], "{:?}", bench.events());
    bench.second(pile_up());
    assert_eq!(locks(&bench), [EventKind::Finding(Severity::Critical)], "{:?}", bench.events());
}

#[test]
fn what_happened_is_bounded_and_in_order() {
    let mut bench = Bench::new();
    for n in 0..700 {
        let at = bench.at.minus(std::time::Duration::from_secs(n % 50));
        let mark = Mark { id: format!("m{n}"), label: "v1".into(), note: "".into(), by: "".into() };
        bench.msg(Msg::Fact(At { at, it: Fact::Marked(mark) }));
    }
    assert!(bench.app.events.len() <= 500);
    assert!(bench.app.events.iter().zip(bench.app.events.iter().skip(1)).all(|(a, b)| a.at <= b.at));
}

#[test]
fn what_is_acknowledged_does_not_hide_what_is_as_bad() {
    let mut bench = Bench::new();
    let verdict = |bench: &Bench| bench.app.world.judgement.findings[0].reference();
    let first = verdict(&bench);
    bench.press("A");
    let other = Finding { target: id("other"), ..bench.app.world.judgement.findings[0].clone() };
    let known = bench.app.world.acknowledged.clone();
    let judgement = &mut bench.app.world.judgement;
    judgement.findings.push(other);
    judgement.set_aside(|it| known.contains(&format!("{} {}", it.rule, it.reference())));
    let second = verdict(&bench);
    assert_ne!(first, second, "{:?}", bench.findings());
    let judgement = &bench.app.world.judgement;
    assert_eq!(judgement.verdict.severity, Severity::Critical);
    assert_eq!(judgement.verdict.resource, Some(judgement.findings[0].resource));
    assert!(judgement.findings.iter().any(|it| it.reference() == first), "{:?}", bench.findings());
}

#[test]
fn a_pane_opens_to_the_table_in_which_its_trouble_is_seen() {
    let mut bench = Bench::new();
    let found = bench.app.world.judgement.findings[0].clone();
    for (keys, resource, target, tab) in [
        ("2 enter", Resource::PostgresLocks, "primary", Tab::Locks),
        ("2 enter", Resource::PostgresSlowQueries, "primary", Tab::Sessions),
        ("2 enter", Resource::PostgresConnections, "primary", Tab::Connections),
        ("2 enter", Resource::PostgresReplication, "primary", Tab::Upkeep),
        ("4 enter", Resource::HostDisk, "primary", Tab::Filesystems),
        ("4 enter", Resource::PostgresLocks, "primary", Tab::Hosts),
    ] {
        let finding = Finding { resource, target: id(target), ..found.clone() };
        bench.app.world.judgement.findings = vec![finding];
        bench.app.viewpoint.stack.clear();
        bench.app.viewpoint.focus = Pane::Requests;
        bench.press(keys);
        assert!(
            matches!(bench.app.viewpoint.place(), Place::Zoom(_, shown) if *shown == tab),
            "{resource}: {:?}",
            bench.app.viewpoint.place()
        );
    }
}
