//! No key acts alone, nothing typed ahead acts, and what is no longer true only closes.

use warroom::app::{Effect, Msg, Overlay, Settings};
use warroom::config::{ConfirmRule, Environment};
use warroom::model::{
    At, BackendState, Confirm, DatabaseSample, Fact, Gentler, Intent, NextStep, Refusal, Timestamp,
};

use super::bench::{Bench, acts, backend, id, key, outcome, pile_up, plan, plans, safe};

#[test]
fn f_y_ends_the_root_blocker_and_tells_what_came_of_it() {
    let mut bench = Bench::new();
    let effects = bench.press("F");
    let wanted = Intent::TerminateBackend { target: id("primary"), backends: vec![key(4211)] };
    assert_eq!(effects, vec![Effect::Plan(1, wanted)]);
    bench.answer(|_| {});
    bench.wait(400);
    let effects = bench.press("y");
    let [Effect::Act(plan)] = &effects[..] else { panic!("{effects:?}") };
    assert!(matches!(bench.app.overlay, Some(Overlay::Acting(_))));
    bench.msg(Msg::Ended(Box::new(outcome(&plan.id, "ended pid 4211; 10 of 10 go on"))));
    assert!(bench.notice().contains("10 of 10 go on"));
    assert!(bench.events().iter().any(|says| says.contains("10 of 10 go on")));
    // The journal tells it again: it is one event all the same.
    let fact = Fact::Settled(Box::new(outcome(&plan.id, "ended pid 4211; 10 of 10 go on")));
    bench.msg(Msg::Fact(At { at: bench.at, it: fact }));
    assert_eq!(bench.events().iter().filter(|says| says.contains("10 of 10")).count(), 1);
    bench.press("j");
    assert!(bench.closed());
}

#[test]
fn what_is_typed_ahead_or_pasted_is_thrown_away() {
    let mut bench = Bench::new();
    assert_eq!(acts(&bench.press("K y y")), 0);
    bench.answer(|_| {});
    assert_eq!(acts(&bench.press("y")), 0);
    bench.wait(399);
    assert_eq!(acts(&bench.press("y")), 0);
    bench.msg(Msg::Paste("y\ny".into()));
    bench.wait(1);
    bench.msg(Msg::Paste("y".into()));
    assert_eq!(acts(&bench.effects), 0);
    assert_eq!(acts(&bench.press("y")), 1);
}

#[test]
fn enter_alone_never_acts() {
    for leave in ["enter", "esc", "q", "ctrl-c"] {
        let mut bench = Bench::new();
        bench.dialog("K");
        assert_eq!(acts(&bench.press(leave)), 0);
        assert!(bench.closed(), "{leave} did not close");
        assert_eq!(acts(&bench.press("y")), 0);
    }
    for other in ["Y", "n", "space", "F", "K", "ctrl-y", "alt-y", "tab", "c"] {
        let mut bench = Bench::new();
        bench.dialog("K");
        bench.press(other);
        assert_eq!(acts(&bench.effects), 0, "{other} acted");
    }
}

#[test]
fn a_dialog_is_read_again_and_disarms_when_it_is_no_longer_true() {
    let mut bench = Bench::new();
    bench.dialog("K");
    bench.wait(600);
    assert_eq!(plans(&bench.msg(Msg::Tick)), 1);
    // Not asked twice while the answer is awaited.
    bench.wait(1_000);
    assert_eq!(plans(&bench.msg(Msg::Tick)), 0);
    bench.answer(|plan| plan.identity = "another".into());
    assert!(bench.disarmed().is_some());
    assert_eq!(acts(&bench.press("y")), 0);
    assert!(!bench.closed());
    bench.press("enter");
    assert!(bench.closed());
}

#[test]
fn a_refusal_disarms_and_says_why() {
    let mut bench = Bench::new();
    bench.dialog("K");
    bench.wait(1_000);
    bench.msg(Msg::Tick);
    let (ask, _) = bench.asked().expect("asked");
    bench.msg(Msg::Planned(ask, Box::new(Err(Refusal::nothing_to_do("pid 4211 is gone")))));
    assert_eq!(bench.disarmed().as_deref(), Some("pid 4211 is gone"));
    bench.wait(1_000);
    assert_eq!(plans(&bench.msg(Msg::Tick)), 0);
    assert_eq!(acts(&bench.press("y")), 0);
}

#[test]
fn an_old_answer_or_one_about_something_else_is_not_taken() {
    let mut bench = Bench::new();
    bench.press("K");
    let (old, intent) = bench.asked().expect("asked");
    bench.press("esc K");
    let late = plan(intent, old, bench.at);
    bench.msg(Msg::Planned(old, Box::new(Ok(late))));
    bench.wait(1_000);
    assert_eq!(acts(&bench.press("y")), 0);
    bench.answer(|plan| plan.intent = Intent::MarkDeploy { label: "v1".into(), note: String::new() });
    bench.wait(1_000);
    assert_eq!(acts(&bench.press("y")), 0);
}

#[test]
fn a_name_is_typed_where_a_name_is_asked_for() {
    let environment = Environment { confirm: ConfirmRule::Name, ..Environment::default() };
    let mut bench = Bench::with(Settings { environment, ..Settings::default() });
    bench.dialog("K");
    assert_eq!(acts(&bench.enter("y")), 0);
    bench.press("backspace");
    assert_eq!(acts(&bench.enter("primar")), 0);
    assert_eq!(acts(&bench.enter("y")), 1);
}

#[test]
fn the_plan_can_ask_for_a_name_too() {
    let mut bench = Bench::new();
    bench.press("K");
    bench.answer(|plan| plan.confirm = Confirm::Name("primary".into()));
    bench.write("primary");
    bench.wait(400);
    // Typed ahead: the line is empty, and Enter leaves.
    assert_eq!(acts(&bench.press("enter")), 0);
    assert!(bench.closed());
}

#[test]
fn c_goes_to_the_gentler_choice_which_asks_by_itself() {
    let mut bench = Bench::new();
    bench.press("K");
    let gentler = Intent::CancelBackend { target: id("primary"), backend: key(4211), query_start: None };
    let offered = Gentler { intent: Some(gentler.clone()), says: safe("only cancel its statement") };
    bench.answer(|plan| plan.gentler = Some(offered));
    bench.wait(400);
    assert_eq!(bench.press("c"), vec![Effect::Plan(2, gentler)]);
    assert_eq!(acts(&bench.press("y")), 0);
    bench.answer(|_| {});
    bench.wait(400);
    assert_eq!(acts(&bench.press("y")), 1);
}

#[test]
fn one_act_at_a_time_and_it_can_be_held_and_stopped() {
    let mut bench = Bench::new();
    bench.dialog("K");
    bench.press("y");
    assert_eq!(plans(&bench.press("K F X C M")), 0);
    let Some(Overlay::Acting(acting)) = &bench.app.overlay else { panic!("no act") };
    let id = acting.plan.id.clone();
    assert!(bench.press("space").is_empty(), "what tells no progress cannot be held");
    let progress = warroom::model::Progress { plan: id, share: 0.5, says: safe("half") };
    bench.msg(Msg::Progress(progress));
    assert_eq!(bench.press("f f"), vec![Effect::HurryAct(true), Effect::HurryAct(false)]);
    assert_eq!(bench.press("space"), vec![Effect::PauseAct(true)]);
    assert_eq!(bench.press("s"), vec![Effect::StopAct, Effect::PauseAct(false)]);
    assert!(bench.press("s esc space").is_empty());
    assert_eq!(bench.press("ctrl-c"), vec![Effect::Quit]);
}

#[test]
fn an_estimate_that_wavers_loses_no_key_and_one_that_jumps_does() {
    for (touches, acted) in [(399_233, 1), (800_000, 0)] {
        let mut bench = Bench::new();
        bench.press("K");
        bench.answer(|plan| plan.touches = 400_083);
        bench.wait(1_000);
        assert_eq!(plans(&bench.msg(Msg::Tick)), 1);
        bench.answer(|plan| plan.touches = touches);
        assert!(bench.disarmed().is_none());
        assert_eq!(acts(&bench.press("y")), acted, "{touches}");
    }
}

#[test]
fn when_nobody_waits_any_more_the_dialog_says_so_and_a_key_on_its_way_is_lost() {
    let mut bench = Bench::new();
    bench.dialog("K");
    bench.wait(600);
    bench.msg(Msg::Tick);
    bench.answer(|plan| plan.frees = Some(0));
    assert!(bench.disarmed().is_none());
    let Some(Overlay::Confirm(it)) = &bench.app.overlay else { panic!("no dialog") };
    let warnings = &it.plan.as_ref().expect("a plan").warnings;
    assert!(warnings[0].as_str().starts_with("10 waited when this came up, nobody does now"), "{warnings:?}");
    assert_eq!(acts(&bench.press("y")), 0);
    bench.wait(400);
    assert_eq!(acts(&bench.press("y")), 1);
}

#[test]
fn what_is_left_to_do_after_an_act_is_one_key_away_and_asks_like_any_other() {
    let next = Intent::TerminateBackend { target: id("primary"), backends: vec![key(4300)] };
    for pressed in ["K", "j"] {
        let mut bench = Bench::new();
        bench.dialog("K");
        let effects = bench.press("y");
        let [Effect::Act(plan)] = &effects[..] else { panic!("{effects:?}") };
        let mut ended = outcome(&plan.id, "ended pid 4211; 0 of 10 go on");
        ended.next = Some(NextStep { intent: Some(next.clone()), says: safe("end the next in the way") });
        bench.msg(Msg::Ended(Box::new(ended)));
        let effects = bench.press(pressed);
        if pressed == "K" {
            assert!(matches!(&effects[..], [Effect::Plan(_, intent)] if *intent == next), "{effects:?}");
            assert_eq!(acts(&bench.press("y")), 0);
        } else {
            assert!(effects.is_empty() && bench.closed());
        }
    }
}

#[test]
fn an_application_that_is_back_at_once_and_blocks_again_is_told() {
    let back = |name: &str| {
        let mut sample = pile_up();
        sample.backends.retain(|one| one.key.pid != 4211);
        sample.backends.push(backend(4400, name, BackendState::IdleInTransaction, &[]));
        for one in &mut sample.backends {
            one.blocked_by.iter_mut().for_each(|pid| *pid = 4400);
        }
        sample
    };
    let told = |name: &str, after: usize| {
        let mut bench = Bench::new();
        bench.dialog("K");
        bench.press("y");
        for _ in 0..after {
            bench.second(DatabaseSample { backends: Vec::new(), ..pile_up() });
        }
        // A lock that is held for a moment is no matter: both answers have to tell of it.
        for second in 1..4 {
            bench.second(DatabaseSample { server_time: Timestamp::from_micros(second), ..back(name) });
        }
        bench.events().iter().filter(|says| says.contains("is back on primary")).cloned().collect::<Vec<_>>()
    };
    let events = told("web.3", 4);
    assert_eq!(events.len(), 1, "told once: {events:?}");
    assert!(
        events[0].starts_with("web.3 is back on primary after 6 s as pid 4400, and 10 wait"),
        "{events:?}"
    );
    assert!(told("report", 4).is_empty(), "that is somebody else");
    assert!(told("web.3", 20).is_empty(), "that is a matter of its own");
}
