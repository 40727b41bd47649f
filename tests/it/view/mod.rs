//! What the operator sees, at the three sizes and in every kind of trouble.

mod dialogs;
mod scenes;

use warroom::model::PollErrorKind;

use scenes::{Lab, picture, screen, text};

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
fn nothing_heard_yet() {
    agreed("first", &Lab::new());
}
