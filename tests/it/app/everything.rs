//! Every command in every place and over every overlay; and keys at random.

use proptest::prelude::*;
use warroom::app::{COMMANDS, Chord, Command, Effect, Key, Msg, Overlay, Pane, Place, Settings, Tab};
use warroom::config::Environment;

use super::bench::{Bench, acts, id, key, outcome, plans};

fn every_place() -> Vec<Vec<Place>> {
    let mut places = vec![Vec::new()];
    for pane in Pane::ALL {
        for tab in pane.tabs() {
            places.push(vec![Place::Zoom(pane, *tab)]);
            let row = warroom::app::RowKey::Backend(id("primary"), key(4211));
            places.push(vec![Place::Zoom(pane, *tab), Place::Detail(*tab, row)]);
        }
    }
    places
}

fn by_palette(bench: &mut Bench, command: Command) -> Vec<Effect> {
    let info = COMMANDS.iter().find(|info| info.command == command).expect("in the table");
    bench.press(":");
    bench.enter(info.name)
}

#[test]
fn under_read_only_and_in_the_past_no_plan_is_ever_made() {
    let read_only = Environment { read_only: true, read_only_from: "--read-only", ..Environment::default() };
    for past in [false, true] {
        for place in every_place() {
            for info in COMMANDS {
                let settings = if past {
                    Settings::default()
                } else {
                    Settings { environment: read_only.clone(), ..Settings::default() }
                };
                let mut bench = Bench::with(settings);
                if past {
                    bench.press("p");
                }
                let goes_back =
                    [Command::Live, Command::StepForth, Command::Pause, Command::Back, Command::JumpTo];
                if past && goes_back.contains(&info.command) {
                    continue;
                }
                bench.app.viewpoint.stack.clone_from(&place);
                bench.effects.clear();
                by_palette(&mut bench, info.command);
                // Whatever it opened: choose it, type into it, agree to it.
                for keys in ["enter", "v 1 enter", "y"] {
                    bench.press(keys);
                    bench.wait(1_000);
                }
                let wrong =
                    |effect: &Effect| matches!(effect, Effect::Plan(..) | Effect::Act(_) | Effect::Lab(..));
                let found: Vec<_> = bench.effects.iter().filter(|effect| wrong(effect)).collect();
                assert!(found.is_empty(), "{} in {place:?}: {found:?}", info.name);
            }
        }
    }
}

#[test]
fn why_not_is_said() {
    let read_only = Environment { read_only: true, read_only_from: "--read-only", ..Environment::default() };
    let mut bench = Bench::with(Settings { environment: read_only, ..Settings::default() });
    for act in ["F", "K", "C", "X", "M"] {
        bench.press(act);
        assert_eq!(bench.notice(), "read-only: --read-only says so", "{act}");
    }
    let greyed = warroom::app::hints(&bench.app).into_iter().filter(|hint| hint.why_not.is_some()).count();
    assert!(greyed >= 4, "what acts is still there, greyed");
}

#[test]
fn every_command_over_every_overlay_stays_calm() {
    for opener in ["?", ":", "/", "M", "@", "x", "X", "K", "2 2 s"] {
        for info in COMMANDS {
            let mut bench = Bench::new();
            bench.press(opener);
            for keys in info.keys {
                bench.press(keys);
                bench.press("enter y");
            }
            assert_eq!(acts(&bench.effects), 0, "{} over {opener}", info.name);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Key(Chord),
    Paste,
    Wait(u64),
    Second,
    Answer,
    End,
}

fn step() -> impl Strategy<Value = Step> {
    let chord = prop_oneof![
        6 => prop::sample::select("yFKCXMsSxzpu[]@L:/?qrAEcjkhlgG1234567 ".chars().collect::<Vec<_>>()).prop_map(Chord::char),
        2 => prop::sample::select(vec![Key::Enter, Key::Esc, Key::Tab, Key::Up, Key::Down, Key::Left, Key::Backspace, Key::PageDown]).prop_map(Chord::plain),
        1 => any::<char>().prop_map(Chord::char),
    ];
    prop_oneof![
        10 => chord.prop_map(Step::Key),
        1 => Just(Step::Paste),
        3 => (0u64..900).prop_map(Step::Wait),
        1 => Just(Step::Second),
        4 => Just(Step::Answer),
        1 => Just(Step::End),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn no_keys_at_random_act_without_an_armed_y(steps in prop::collection::vec(step(), 1..80)) {
        let mut bench = Bench::new();
        let mut running = 0usize;
        for step in steps {
            let armed = matches!(&bench.app.overlay, Some(Overlay::Confirm(it)) if it.armed(bench.at));
            let effects = match &step {
                Step::Key(chord) => bench.msg(Msg::Key(*chord)),
                Step::Paste => bench.msg(Msg::Paste("y\u{1b}[31my".into())),
                Step::Wait(ms) => { bench.wait(*ms); Vec::new() }
                Step::Second => { bench.seconds(1); Vec::new() }
                Step::Answer => {
                    if bench.asked().is_some() { bench.answer(|_| {}); }
                    Vec::new()
                }
                Step::End => {
                    let id = match &bench.app.overlay {
                        Some(Overlay::Acting(it)) if it.outcome.is_none() => Some(it.plan.id.clone()),
                        _ => None,
                    };
                    if let Some(id) = id {
                        bench.msg(Msg::Ended(Box::new(outcome(&id, "done"))));
                        running -= 1;
                    }
                    Vec::new()
                }
            };
            let acted = acts(&effects);
            if acted > 0 {
                prop_assert!(armed, "{step:?} acted on an unarmed dialog");
                prop_assert!(matches!(step, Step::Key(chord) if chord == Chord::char('y')), "{step:?} acted");
                running += acted;
            }
            prop_assert!(running <= 1, "two acts at a time");
            prop_assert!(plans(&effects) <= 1);
            for pane in Pane::ALL {
                for tab in pane.tabs() {
                    if bench.at.as_micros() % 7 == 0 || *tab == Tab::Locks {
                        let table = warroom::app::table(&bench.app, *tab);
                        prop_assert!(table.rows.iter().all(|row| row.cells.len() == table.columns.len()));
                    }
                }
            }
        }
    }
}
