//! A statement is explained where it stands; nothing is ever acted on.

use warroom::app::{Effect, Explaining, Msg, Overlay};
use warroom::model::{
    BackendState, DatabaseSample, ExplainAsk, ExplainOf, ExplainStep, Explanation, Refusal, SafeText,
    StatementCost, Statements, Timestamp,
};

use super::bench::{Bench, backend, id, key, pile_up};

fn asked(bench: &Bench) -> Option<(u64, ExplainAsk)> {
    bench.effects.iter().rev().find_map(|effect| match effect {
        Effect::Explain(number, ask) => Some((*number, (**ask).clone())),
        _ => None,
    })
}

fn standing(bench: &Bench) -> &Explaining {
    let it = match &bench.app.overlay {
        Some(Overlay::Explain(it)) => Some(&**it),
        _ => None,
    };
    it.expect("nothing is explained")
}

fn explanation(steps: usize) -> Explanation {
    let step =
        |at: usize| ExplainStep { what: SafeText::new(&format!("step {at}")), ..ExplainStep::default() };
    Explanation { steps: (0..steps).map(step).collect(), ..Explanation::default() }
}

#[test]
fn the_session_that_is_meant_is_asked_about_by_identity_and_statement() {
    let mut bench = Bench::new();
    bench.press("E");
    let (_, ask) = asked(&bench).expect("the culprit's");
    let of = |pid: i32| ExplainOf::Session {
        pid,
        started: Some(key(pid).started),
        query_start: Some(Timestamp::from_micros(5_000_000)),
    };
    assert_eq!((ask.target, ask.of), (id("primary"), of(4211)));
    bench.press("esc 2 enter");
    bench.effects.clear();
    bench.press("down E");
    assert_eq!(asked(&bench).map(|(_, ask)| ask.of), Some(of(4300)));
}

#[test]
fn a_statement_of_the_statistics_is_asked_about_by_its_id() {
    let mut bench = Bench::new();
    let cost = |query_id| StatementCost {
        query_id,
        user: "app".into(),
        query: "select 1".into(),
        calls: 1,
        exec_ms: 5.0,
        ..StatementCost::default()
    };
    let statements =
        Statements { over: 10.0, calls: 2, exec_ms: 10.0, entries: 2, top: vec![cost(-7), cost(8)] };
    let backends = vec![backend(1, "web", BackendState::Idle, &[])];
    bench.second(DatabaseSample { statements: Some(statements), backends, ..pile_up() });
    bench.press("2 enter right right right");
    bench.press("E");
    let of = ExplainOf::Statistics { query_id: -7, user: Some("app".into()), database: None };
    assert_eq!(asked(&bench).map(|(_, ask)| ask.of), Some(of));
}

#[test]
fn only_the_answer_to_the_last_question_is_taken_and_it_scrolls_to_its_end() {
    let mut bench = Bench::new();
    bench.press("E esc E");
    let (number, _) = asked(&bench).expect("asked");
    bench.msg(Msg::Explained(number - 1, Box::new(Err(Refusal::refused("an old answer")))));
    assert!(standing(&bench).told.is_none());
    bench.msg(Msg::Explained(number, Box::new(Ok(explanation(100)))));
    assert!(matches!(standing(&bench).told, Some(Ok(_))));
    bench.press("up");
    assert_eq!(standing(&bench).scroll, 0);
    bench.press("end");
    let end = standing(&bench).scroll;
    assert!((60..=100).contains(&end), "{end}");
    bench.press("down");
    assert_eq!(standing(&bench).scroll, end);
    bench.press("up");
    assert_eq!(standing(&bench).scroll, end - 1);
    bench.press("y");
    assert!(matches!(bench.effects.last(), Some(Effect::Copy(text)) if text.contains("step 99")));
    bench.press("E");
    assert!(bench.app.overlay.is_none());
    bench.msg(Msg::Explained(number, Box::new(Ok(explanation(1)))));
    assert!(bench.app.overlay.is_none(), "it was closed");
}

#[test]
fn where_there_is_no_statement_it_says_so() {
    let mut bench = Bench::new();
    bench.press("6 enter E");
    assert!(bench.notice().contains("no session and no statement is selected"), "{}", bench.notice());
    bench.press("esc esc");
    bench.seconds(3);
    bench.press("[ E");
    assert!(bench.notice().contains("this is the past"), "{}", bench.notice());
    assert!(asked(&bench).is_none());
}
