//! Holding the screen and stepping through the last minutes.

use warroom::app::{Tab, table};

use super::bench::{Bench, pile_up, plans};

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
