//! Every machine of a fleet as one cell, in the order of their names: which ones burn, and whether they
//! are neighbours. A cell keeps its place while values change.

use ratatui::layout::Rect;

use super::ink::{Ink, cells};
use super::scene::Scene;
use super::theme::Role;
use crate::app::{Pane, RowKey};
use crate::model::{Resource, Severity, TargetId};
use crate::store::{Target, TargetState};

/// From this many machines on.
const FEWEST: usize = 9;
const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// One machine.
struct One<'a> {
    id: &'a TargetId,
    heard: bool,
    share: Option<f64>,
    severity: Severity,
}

/// Draws the machines above their table; returns the lines it took, none where they are few or the pane is
/// about something else.
pub(super) fn draw(
    ink: &mut Ink<'_>,
    area: Rect,
    pane: Pane,
    selected: Option<&RowKey>,
    scene: &Scene<'_>,
) -> u16 {
    let resource = match pane {
        Pane::Cpu => Resource::HostCpu,
        Pane::Memory => Resource::HostMemory,
        _ => return 0,
    };
    let mut all: Vec<One<'_>> =
        super::panes::machines(scene).map(|target| one(scene, target, resource)).collect();
    let most = area.height / 5;
    if all.len() < FEWEST || most == 0 || area.width < 20 {
        return 0;
    }
    all.sort_by(|a, b| a.id.cmp(b.id));
    let width = usize::from(area.width - 2);
    let lines = all.len().div_ceil(width).min(usize::from(most));
    // More machines than cells: a cell is the worst of its neighbours.
    let each = all.len().div_ceil(width * lines);
    for (place, part) in all.chunks(each).enumerate() {
        let (x, y) = (place % width, place / width);
        let at = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        let here = part.iter().any(|one| selected == Some(&RowKey::Target(one.id.clone())));
        let (symbol, role) = cell(part);
        ink.put(area.x + 1 + at(x), area.y + at(y), 1, symbol, if here { Role::Selected } else { role });
    }
    let taken = u16::try_from(all.len().div_ceil(each).div_ceil(width)).unwrap_or(most);
    let (first, last) = (all.first().map(|one| one.id.as_str()), all.last().map(|one| one.id.as_str()));
    let of = if each > 1 { format!(", {each} a cell") } else { String::new() };
    let says = format!("by name, {} to {}{of}", first.unwrap_or_default(), last.unwrap_or_default());
    ink.put(area.x + 1, area.y + taken, cells(&says).min(area.width - 2), &says, Role::Muted);
    taken + 1
}

fn one<'a>(scene: &Scene<'_>, target: &'a Target, resource: Resource) -> One<'a> {
    let id = &target.info.id;
    let share = match resource {
        Resource::HostCpu => target.host_rates().and_then(|rates| rates.cpu).map(|cpu| cpu.busy),
        _ => super::panes::memory_used(target),
    };
    let heard = target.state(scene.now) == TargetState::Up;
    One { id, heard, share, severity: scene.severity(resource, id) }
}

/// The worst of the machines of one cell.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 7")]
fn cell(part: &[One<'_>]) -> (&'static str, Role) {
    if part.iter().any(|one| !one.heard) {
        return ("?", Role::of(Severity::Unknown));
    }
    let worst = part.iter().map(|one| one.severity).max().unwrap_or_default();
    let role = if worst == Severity::Ok { Role::Chart } else { Role::of(worst) };
    match part.iter().filter_map(|one| one.share).reduce(f64::max) {
        Some(share) => (BARS[(share * 8.0).clamp(0.0, 7.0) as usize], role),
        None => ("·", Role::Muted),
    }
}
