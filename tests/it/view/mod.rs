//! What the operator sees, at the three sizes and in every kind of trouble.

mod chains;
mod dialogs;
mod dials;
mod drawn;
mod fleet;
mod mad;
mod scenes;
mod themes;

use warroom::app::{Pane, Place, Tab, table};
use warroom::model::{PollErrorKind, Resource, Severity, TargetId};
use warroom::store::Metric;

use dials::Dials;
use drawn::{picture, screen, text};
use scenes::Lab;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// Draws a world at all sizes and compares each with what was looked at before.
fn agreed(name: &str, lab: &Lab) {
    for (width, height) in SIZES {
        let buf = screen(&lab.app, "terminal", width, height);
        picture(&format!("{name}_{width}x{height}"), &buf);
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), text(&buf));
    }
}

#[test]
fn a_healthy_world() {
    agreed("healthy", &Lab::healthy().deploy("v8.1.2").with(40, |_| {}));
}

#[test]
fn a_lock_pile_up() {
    let lab = Lab::healthy().deploy("v8.1.2").with(12, |_| {}).with(20, |dials| dials.waiters = 38);
    agreed("locks", &lab.with(40, |dials| dials.queued = 96));
}

#[test]
fn a_finding_and_the_state_of_its_resource_agree() {
    let lab = Lab::healthy().with(12, |dials| dials.waiters = 3).with(20, |dials| dials.queued = 96);
    let judgement = &lab.app.world.judgement;
    let cause = judgement.findings.first().expect("a finding");
    assert!(cause.resource == Resource::PostgresLocks && cause.severity == Severity::Critical, "{cause:#?}");
    for finding in &judgement.findings {
        let state = judgement.resource(finding.resource, &finding.target).expect("its resource");
        assert!(state.severity >= finding.severity, "{finding:#?} against {state:#?}");
    }
}

#[test]
fn slow_queries() {
    agreed("slow", &Lab::healthy().with(30, |dials| dials.slow = 6));
}

#[test]
fn connections_taken() {
    agreed("connections", &Lab::healthy().with(30, |dials| dials.idle = 93));
}

#[test]
fn a_full_cache() {
    agreed("cache", &Lab::healthy().with(30, |dials| dials.fill = 0.97));
}

#[test]
fn a_clogged_queue() {
    let lab = Lab::healthy().with(30, |dials| (dials.jobs, dials.oldest, dials.workers) = (4_210, 740.0, 0));
    agreed("queue", &lab);
}

#[test]
fn five_hundred_queues_of_which_twenty_wait() {
    agreed("queues_many", &Lab::healthy().with(30, |dials| dials.more_queues = 498));
    let mut lab = Lab::healthy().with(30, |dials| dials.more_queues = 498);
    lab.app.viewpoint.stack = vec![Place::Zoom(Pane::Queues, Tab::Queues)];
    agreed("queues_many_zoom", &lab);
}

#[test]
fn a_busy_machine_short_of_memory() {
    agreed(
        "host",
        &Lab::healthy().with(30, |dials| (dials.busy, dials.memory, dials.swap) = (0.93, 0.94, 300)),
    );
}

#[test]
fn a_slow_app_and_a_server_down() {
    agreed("requests", &Lab::healthy().with(30, |dials| (dials.queued, dials.servers_down) = (96, 1)));
}

#[test]
fn targets_that_do_not_answer() {
    let lab = Lab::healthy().with(25, |dials| {
        dials.down = vec![
            ("primary", PollErrorKind::Timeout),
            ("cache", PollErrorKind::Unreachable),
            ("edge", PollErrorKind::Login),
            ("jobs", PollErrorKind::Garbage),
        ];
        dials.silent = vec!["web1", "replica"];
    });
    agreed("down", &lab);
}

#[test]
fn the_past_is_marked_as_such_at_every_size() {
    let mut lab = Lab::healthy().with(40, |_| {});
    lab.app.past = Some(Box::new(lab.app.world.clone()));
    for (width, height) in SIZES {
        let seen = text(&screen(&lab.app, "terminal", width, height));
        let first = seen.lines().next().expect("a header");
        assert!(first.contains("PAUSED 14:0") && !first.contains("LIVE"), "{first}");
    }
}

#[test]
fn nothing_heard_yet() {
    agreed("first", &Lab::new());
}

/// Draws a world at all sizes and compares the smallest.
fn opened(name: &str, lab: &Lab) {
    for (width, height) in SIZES {
        let buf = screen(&lab.app, "terminal", width, height);
        picture(&format!("{name}_{width}x{height}"), &buf);
        if width == 80 {
            insta::assert_snapshot!(name, text(&buf));
        }
    }
}

/// Draws every table of every pane, and the page of a row, of a world with trouble in it.
#[test]
fn every_pane_opens_to_its_tables() {
    let mut lab = Lab::healthy().deploy("v8.1.2").with(32, |dials| {
        (dials.waiters, dials.slow, dials.queued, dials.fill) = (38, 2, 96, 0.91);
    });
    for pane in Pane::ALL {
        for tab in pane.tabs() {
            lab.app.viewpoint.stack = vec![Place::Zoom(pane, *tab)];
            opened(&format!("zoom_{pane:?}_{tab:?}").to_lowercase(), &lab);
        }
    }
    let table = table(&lab.app, Tab::Locks);
    let root = table.rows.first().expect("the pile-up has a root").key.clone();
    lab.app.viewpoint.stack.push(Place::Detail(Tab::Locks, root));
    opened("detail", &lab);
}

#[test]
fn the_selected_row_and_the_marked_one_stand_out() {
    let mut lab = Lab::healthy().with(32, |dials| dials.waiters = 38);
    lab.app.viewpoint.stack = vec![Place::Zoom(Pane::Postgres, Tab::Locks)];
    let rows = table(&lab.app, Tab::Locks).rows;
    let key = rows.get(2).expect("many wait").key.clone();
    lab.app.viewpoint.selected.insert(Tab::Locks, key.clone());
    lab.app.viewpoint.marked.push(key);
    let buf = screen(&lab.app, "mono", 80, 24);
    let seen = text(&buf);
    let (y, line) = seen.lines().enumerate().find(|(_, line)| line.starts_with('▶')).expect("a cursor");
    assert!(line.starts_with("▶*"), "{line}");
    let y = u16::try_from(y).expect("small");
    assert!(buf[(20, y)].modifier.contains(ratatui::style::Modifier::REVERSED));
    assert!(!buf[(20, y - 1)].modifier.contains(ratatui::style::Modifier::REVERSED));
}

#[test]
fn every_trouble_comes_with_a_key_or_with_advice_that_is_whole_at_80_columns() {
    let troubles: [fn(&mut Dials); 10] = [
        |dials| dials.waiters = 38,
        |dials| dials.slow = 6,
        |dials| dials.idle = 93,
        |dials| dials.fill = 0.97,
        |dials| (dials.jobs, dials.oldest, dials.workers) = (4_210, 740.0, 0),
        |dials| dials.busy = 0.93,
        |dials| (dials.memory, dials.swap) = (0.94, 300),
        |dials| dials.queued = 96,
        |dials| dials.servers_down = 1,
        |dials| dials.down = vec![("primary", PollErrorKind::Timeout)],
    ];
    for trouble in troubles {
        let lab = Lab::healthy().with(30, trouble);
        let verdict = &lab.app.world.judgement.verdict;
        let remedy = verdict.remedy.as_ref().unwrap_or_else(|| panic!("nothing to do about {verdict:#?}"));
        let seen = text(&screen(&lab.app, "terminal", 80, 24));
        let key = if remedy.intent.is_some() { "[F]" } else { "do:" };
        let told = format!("{key} {}", remedy.says);
        assert!(seen.lines().take(4).any(|line| line.contains(&told)), "{told}\n{seen}");
    }
}

#[test]
fn what_a_silent_server_would_say_is_never_nothing() {
    let mut lab = Lab::healthy().with(25, |dials| {
        dials.down = vec![("primary", PollErrorKind::Timeout), ("replica", PollErrorKind::Timeout)];
    });
    for tab in [Tab::Locks, Tab::Sessions, Tab::Connections, Tab::Statements, Tab::Upkeep] {
        lab.app.viewpoint.stack = vec![Place::Zoom(Pane::Postgres, tab)];
        let seen = text(&screen(&lab.app, "terminal", 80, 24));
        assert!(seen.contains("not known: no answer came"), "{seen}");
        assert!(seen.contains("primary: nothing came back") && seen.contains("(for "), "{seen}");
    }
}

#[test]
fn the_filter_is_seen_beside_the_longest_row_of_tabs() {
    let mut lab = Lab::healthy().with(32, |dials| dials.waiters = 38);
    lab.app.viewpoint.stack = vec![Place::Zoom(Pane::Postgres, Tab::Locks)];
    lab.app.viewpoint.filter = "nobody-is-called-so".into();
    let seen = text(&screen(&lab.app, "terminal", 80, 24));
    assert!(seen.contains("/nobody-is-called-so: "), "{seen}");
    assert!(seen.contains(" ←→ "), "{seen}");
}

#[test]
fn nobody_is_said_to_have_waited_longer_than_the_trouble_lasts() {
    // By depth against pace the last of them will have waited for eight minutes.
    let lab = Lab::healthy().with(30, |_| {}).with(5, |dials| dials.queued = 100_000);
    let id = TargetId::parse("edge").expect("legal").row("app");
    let ring = lab.app.world.store.course(&id, Metric::Resource(Resource::RequestQueue)).expect("charted");
    let (_, waited) = ring.last().expect("a point");
    let waited = waited.expect("a wait");
    assert!((1_000.0..=7_000.0).contains(&waited), "{waited} ms");
}

#[test]
fn everything_at_once_is_told_by_what_it_is() {
    let lab = Lab::healthy().with(40, |dials| {
        (dials.waiters, dials.slow, dials.busy, dials.fill) = (38, 6, 0.97, 0.97);
        (dials.swap, dials.queued, dials.oldest, dials.workers) = (400, 96, 900.0, 0);
        dials.down = vec![("replica", PollErrorKind::Unreachable), ("web1", PollErrorKind::Timeout)];
    });
    agreed("everything", &lab);
}
