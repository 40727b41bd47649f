//! The top line: where we are, who answers, what time it is and how bad it is.

use std::cmp::Reverse;
use std::fmt::Write as _;

use ratatui::layout::Rect;

use super::format;
use super::ink::{Ink, cells};
use super::scene::Scene;
use super::theme::Role;
use crate::model::Severity;
use crate::store::TargetState;

/// From this width on there is room for everything.
const ROOMY: u16 = 100;

/// Draws the header.
pub(super) fn draw(ink: &mut Ink<'_>, area: Rect, scene: &Scene<'_>) {
    ink.fill(area, Role::Header);
    let from = right_side(ink, area, scene);
    // Where it is tight, the names of those who do not answer are worth more than ours.
    let tight = area.width < ROOMY && !all_up(scene);
    let mut x = area.x + 1;
    if !tight {
        x = ink.put(x, area.y, 7, "warroom", Role::Title) + 2;
    }
    let name = scene.app.settings.environment.name.to_uppercase();
    let role = if is_production(&name) { Role::EnvProduction } else { Role::Env };
    x = ink.put(x, area.y, 20, &format!(" {name} "), role) + 1;
    if scene.app.settings.environment.read_only {
        x = ink.put(x, area.y, 11, "READ-ONLY", Role::Past) + 1;
    }
    let room = from.saturating_sub(x + 2);
    let (text, severity) = targets(scene, room);
    let role = if severity == Severity::Ok { Role::Header } else { Role::of(severity) };
    ink.put(x + 1, area.y, room, &text, role);
}

fn all_up(scene: &Scene<'_>) -> bool {
    scene.world.store.configured().all(|target| target.state(scene.now) == TargetState::Up)
}

/// Whether a mistake costs most here.
fn is_production(name: &str) -> bool {
    let name = name.to_lowercase();
    name.split(|c: char| !c.is_alphanumeric())
        .any(|word| ["prod", "production", "live", "prd"].contains(&word) || word.starts_with("prod"))
}

/// `7 targets: 5 up, cache down, jobs stale`; names as many as fit, then counts them.
fn targets(scene: &Scene<'_>, room: u16) -> (String, Severity) {
    let all: Vec<_> = scene.world.store.configured().collect();
    let mut up = 0;
    let mut others: Vec<(Severity, String)> = Vec::new();
    let mut worst = Severity::Ok;
    for target in &all {
        let state = target.state(scene.now);
        worst = worst.max(scene.answer(target));
        match state {
            TargetState::Up => up += 1,
            TargetState::Waiting => others.push((Severity::Ok, format!("{} awaited", target.info.id))),
            state => others.push((scene.answer(target), format!("{} {}", target.info.id, state.word()))),
        }
    }
    others.sort_by_key(|(severity, _)| Reverse(*severity));
    let others: Vec<String> = others.into_iter().map(|(_, says)| says).collect();
    let long = match all.len() {
        0 => "no targets".to_owned(),
        1 => format!("1 target: {up} up"),
        n => format!("{n} targets: {up} up"),
    };
    let short = format!("{up}/{} up", all.len());
    // All by name, else as many as fit behind the short form, else how many.
    for (head, shown) in
        [(&long, others.len())].into_iter().chain((0..=others.len()).rev().map(|n| (&short, n)))
    {
        let mut named = vec![head.clone()];
        named.extend_from_slice(&others[..shown]);
        let left = others.len() - shown;
        let mut text = named.join(", ");
        if left > 0 && shown > 0 {
            write!(text, " +{left}").ok();
        }
        if cells(&text) <= room {
            return (text, worst);
        }
    }
    (short, worst)
}

/// Clock, counts and the key for help, from the right; returns where they begin.
fn right_side(ink: &mut Ink<'_>, area: Rect, scene: &Scene<'_>) -> u16 {
    let mut right = area.right().saturating_sub(1);
    // That this is the past must never be left out.
    let reserve = if scene.app.past.is_some() { 26 } else { 40 };
    let mut put = |text: &str, role: Role, gap: u16| {
        let width = cells(text);
        if right < area.x + width + gap + reserve {
            return;
        }
        ink.put(right - width, area.y, width, text, role);
        right -= width + gap;
    };
    put("? help", Role::Key, 2);
    let judgement = &scene.world.judgement;
    for (severity, glyph) in [(Severity::Warning, "!"), (Severity::Critical, "!!")] {
        let count = judgement.count(severity);
        let role = if count == 0 { Role::Muted } else { Role::of(severity) };
        put(&format!("{count:>2} {glyph}"), role, 1);
    }
    let zone = format::zone(scene.now, scene.zone());
    let time = format::clock(scene.now, scene.zone());
    if scene.app.past.is_some() {
        let ago = format::seconds(scene.app.now.seconds_since(scene.now));
        let zone = if area.width < ROOMY { String::new() } else { format!(" {zone}") };
        put(&format!(" PAUSED {time}{zone}, {ago} ago "), Role::Past, 1);
    } else {
        put(&format!("LIVE {time} {zone}"), Role::Live, 1);
    }
    let dropped = scene.world.store.dropped();
    if dropped > 0 {
        put(&format!("{dropped} lost"), Role::Warning, 1);
    }
    right
}

#[cfg(test)]
mod tests {
    use super::is_production;

    #[test]
    fn production_is_known_by_its_name() {
        assert!(["PRODUCTION", "prod-eu", "eu live", "prd"].into_iter().all(is_production));
        assert!(!["staging", "preprod", "lab", "olive"].into_iter().any(is_production));
    }
}
