//! Servers gone mad: every figure and every text of a sample may be anything that its type can hold. Nothing that
//! keeps, judges or draws it may panic, and nothing on the screen may be more than letters.

use fastrand::Rng;
use serde_json::{Value, json};
use warroom::app::{Pane, Place};
use warroom::model::{Millis, PollError, PollErrorKind, Reading, Sample, TargetId};

use super::dials::Dials;
use super::drawn::{screen, text};
use super::scenes::{Lab, at};

/// Worlds that are drawn.
const WORLDS: i64 = 250;

/// Changes one thing somewhere in a sample's JSON.
fn madden(value: &mut Value, dice: &mut Rng) {
    match value {
        Value::Array(all) if !all.is_empty() && dice.usize(..6) > 0 => {
            let at = dice.usize(..all.len());
            madden(&mut all[at], dice);
        }
        Value::Object(all) if !all.is_empty() => {
            let at = dice.usize(..all.len());
            if let Some(one) = all.values_mut().nth(at) {
                madden(one, dice);
            }
        }
        Value::Array(all) => match dice.usize(..3) {
            0 => all.clear(),
            1 => all.truncate(1),
            _ => *all = all.iter().cycle().take(all.len() * 40).cloned().collect(),
        },
        Value::Number(_) => {
            let numbers = [
                json!(0),
                json!(1),
                json!(-1),
                json!(u64::MAX),
                json!(i64::MAX),
                json!(i64::MIN),
                json!(1e308),
                json!(-1e308),
                json!(5e-324),
                json!(u32::MAX),
                json!(0.5),
            ];
            *value = numbers[dice.usize(..numbers.len())].clone();
        }
        Value::String(_) => {
            let long = "數".repeat(3_000);
            let texts = [
                "",
                " ",
                "\u{1b}[2J\u{202e}",
                "a\u{301}\u{301}\u{301}",
                "\r\n\t",
                "0",
                &long,
                "/",
                "a/b/c",
                "\u{0}",
            ];
            *value = json!(texts[dice.usize(..texts.len())]);
        }
        Value::Bool(it) => *it = !*it,
        Value::Null | Value::Object(_) => {
            let any = [json!(u64::MAX), json!(1e308), json!("x"), json!([]), json!(true), json!(0)];
            *value = any[dice.usize(..any.len())].clone();
        }
    }
}

#[test]
fn servers_gone_mad_are_kept_judged_and_drawn() {
    let trouble = |dials: &mut Dials| {
        (dials.waiters, dials.queued, dials.slow, dials.fill, dials.servers_down) = (9, 96, 4, 0.97, 1);
    };
    let mut lab = Lab::healthy().with(20, trouble);
    let sane: Vec<(TargetId, Value)> = (lab.app.world.store.targets().iter())
        .filter_map(|it| {
            Some((it.info.id.clone(), serde_json::to_value(&it.sample.as_ref()?.it).expect("JSON")))
        })
        .collect();
    assert!(sane.len() >= 8, "{}", sane.len());
    let places: Vec<Place> =
        Pane::ALL.iter().flat_map(|pane| pane.tabs().iter().map(|tab| Place::Zoom(*pane, *tab))).collect();
    let (mut dice, mut mad) = (Rng::with_seed(0x5eed_0b5e_55ed), 0_u32);
    for round in 1..=WORLDS {
        let now = at(lab.second + round);
        for (target, sane) in &sane {
            let mut sample = sane.clone();
            for _ in 0..=dice.usize(..6) {
                madden(&mut sample, &mut dice);
            }
            let sample = match serde_json::from_value::<Sample>(sample) {
                Ok(sample) => Ok(sample),
                Err(_) if dice.usize(..8) == 0 => Err(PollError::new(PollErrorKind::Garbage, "garbage")),
                Err(_) => continue,
            };
            mad += 1;
            lab.app.world.store.take(now, Reading { target: target.clone(), took: Millis(1.0), sample });
        }
        let world = &mut lab.app.world;
        world.judgement = world.judge.judge(&mut world.store, now).0;
        (world.at, lab.app.now) = (now, now);
        let place = &places[dice.usize(..places.len())];
        for (stack, width, height) in [
            (vec![], 80, 24),
            (vec![], 120, 40),
            (vec![place.clone()], 80, 24),
            (vec![place.clone()], 200, 60),
        ] {
            lab.app.viewpoint.stack = stack;
            let drawn = text(&screen(&lab.app, "terminal", width, height));
            let hostile = drawn.chars().find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
            assert_eq!(hostile, None, "{place:?} at {width}x{height}");
        }
    }
    assert!(mad > 400, "only {mad} samples were mad and could be read at all");
}
