//! Holding the screen and stepping through the last minutes.

use std::time::Duration;

use warroom::app::{Effect, Tab, table};
use warroom::store::TargetState;

use super::bench::{Bench, id, pile_up, plans};

#[test]
fn held_is_held_while_polling_goes_on() {
    let mut bench = Bench::new();
    bench.press("p");
    let held = bench.app.moment();
    let mut calm = pile_up();
    calm.backends.clear();
    for _ in 0..5 {
        bench.second(calm.clone());
    }
    assert_eq!(table(&bench.app, Tab::Locks).rows.len(), 11);
    assert_eq!(bench.app.moment(), held);
    bench.press("L");
    assert_eq!(table(&bench.app, Tab::Locks).rows.len(), 0);
    assert_eq!(bench.app.moment(), bench.at);
}

#[test]
fn a_clock_that_is_set_back_neither_freezes_what_is_seen_nor_keeps_old_trouble() {
    let mut bench = Bench::new();
    bench.seconds(20);
    bench.press("[ [");
    let told = bench.effects.len();
    bench.at = bench.at.minus(Duration::from_secs(3600));
    let mut calm = pile_up();
    calm.backends.clear();
    bench.second(calm.clone());
    assert!(bench.notice().contains("set back by 59m59s"), "{}", bench.notice());
    assert_eq!((bench.app.moment(), bench.app.past.is_none()), (bench.at, true));
    for _ in 0..5 {
        bench.second(calm.clone());
    }
    let findings = bench.findings();
    assert!(!findings.iter().any(|it| it.starts_with("postgres.locks")), "{findings:?}");
    let all_clear = bench.effects[told..]
        .iter()
        .any(|it| matches!(it, Effect::Announce { says, .. } if says.starts_with("ok")));
    assert!(!all_clear, "nothing ended: it was forgotten");
    // Seen anew as at the first time, and grown stale as ever.
    bench.seconds(20);
    let locks = bench.findings().into_iter().find(|it| it.starts_with("postgres.locks"));
    assert!(locks.is_some(), "{:?}", bench.findings());
    bench.wait(60_000);
    warroom::app::settle(&mut bench.app, bench.at);
    let primary = bench.app.world.store.target(&id("primary")).expect("it is known");
    assert_eq!(primary.state(bench.at), TargetState::Stale);
}

#[test]
fn a_clock_that_is_corrected_a_little_costs_nothing() {
    let mut bench = Bench::new();
    bench.seconds(20);
    bench.at = bench.at.minus(Duration::from_millis(1_500));
    bench.seconds(3);
    assert!(bench.findings().iter().any(|it| it.starts_with("postgres.locks")), "{:?}", bench.findings());
    assert!(!bench.notice().contains("set back"), "{}", bench.notice());
}

#[test]
fn a_step_back_shows_what_was_and_a_step_forth_comes_home() {
    let mut bench = Bench::new();
    let mut calm = pile_up();
    calm.backends.clear();
    bench.second(calm.clone());
    bench.second(calm);
    assert_eq!(table(&bench.app, Tab::Locks).rows.len(), 0);
    bench.press("[ [");
    assert_eq!(table(&bench.app, Tab::Locks).rows.len(), 11);
    assert_eq!(plans(&bench.press("K F X M")), 0);
    bench.press("esc ] ] ]");
    assert!(bench.app.past.is_none());
}

#[test]
fn a_time_is_written_as_a_clock_shows_it_or_as_an_age() {
    let mut bench = Bench::new();
    bench.seconds(120);
    let ago = |bench: &Bench| bench.at.seconds_since(bench.app.moment());
    bench.press("@");
    bench.enter("-1m");
    assert!((59.0..=70.0).contains(&ago(&bench)), "{}", ago(&bench));
    // The bench began at 02:00:00 UTC and stands at 02:02:04.
    bench.press("@");
    bench.enter("02:02:00");
    assert!((3.0..=5.0).contains(&ago(&bench)), "{}", ago(&bench));
    bench.press("@");
    bench.enter("02:01");
    assert!((63.0..=75.0).contains(&ago(&bench)), "{}", ago(&bench));
    bench.press("@");
    bench.enter("-3h");
    assert!(bench.notice().contains("oldest"));
    bench.press("@");
    bench.enter("soon");
    assert!(
        matches!(&bench.app.overlay, Some(warroom::app::Overlay::Prompt(prompt)) if prompt.error.is_some())
    );
    bench.press("esc L");
    assert!(bench.app.past.is_none());
}
