//! How a statement would be run: the steps, the costliest marked, and what deserves a look.

use ratatui::layout::Rect;

use super::{frame, keys};
use crate::app::Explaining;
use crate::model::ExplainLineKind;
use crate::view::ink::{Ink, cells, wrap};
use crate::view::theme::Role;

/// Draws it.
pub(super) fn draw(ink: &mut Ink<'_>, area: Rect, it: &Explaining) {
    let title = format!("How {} would run it", it.ask.target);
    let (text, role) = match &it.told {
        Some(Ok(_)) => return plan(ink, area, it, &title),
        Some(Err(refusal)) => (refusal.says.as_str(), Role::Warning),
        None => ("asking; nothing is run …", Role::Muted),
    };
    let width = 84.min(area.width.saturating_sub(4));
    let lines = wrap(text, usize::from(width.saturating_sub(4)), 8);
    let height = u16::try_from(lines.len()).unwrap_or(1) + 4;
    let inside = frame(ink, area, width, height.min(area.height), &title);
    let ink = &mut ink.on(Role::Dialog);
    for (y, line) in (inside.y..inside.bottom()).zip(&lines) {
        ink.put(inside.x, y, inside.width, line, role);
    }
    let row = Rect { y: inside.bottom().saturating_sub(1), height: 1, ..inside };
    keys(ink, row, &[("[ Close ]", "", Role::Button)]);
}

fn plan(ink: &mut Ink<'_>, area: Rect, it: &Explaining, title: &str) {
    let (width, page) = Explaining::room(area.width, area.height);
    let lines = it.lines(width);
    let shown = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(page);
    let inside = frame(ink, area, width + 4, shown.saturating_add(4).min(area.height), title);
    let ink = &mut ink.on(Role::Dialog);
    let from = it.scroll.min(lines.len().saturating_sub(usize::from(page)));
    for (y, line) in (inside.y..).zip(lines.iter().skip(from).take(usize::from(shown))) {
        let role = match line.kind {
            ExplainLineKind::Columns => Role::Column,
            ExplainLineKind::Costliest => Role::Title,
            ExplainLineKind::Beware => Role::Warning,
            ExplainLineKind::Detail | ExplainLineKind::Note => Role::Muted,
            ExplainLineKind::Head
            | ExplainLineKind::Query
            | ExplainLineKind::Step
            | ExplainLineKind::Empty => Role::Text,
        };
        let lead = cells(&line.lead).min(inside.width);
        ink.put(inside.x, y, lead, &line.lead, role);
        ink.put(inside.x + lead, y, inside.width - lead, &line.text, role);
    }
    let row = Rect { y: inside.bottom().saturating_sub(1), height: 1, ..inside };
    let below = lines.len().saturating_sub(from + usize::from(shown));
    let more = if below > 0 { format!("{below} more") } else { "scroll".into() };
    let mut all = vec![("[ Close ]", "", Role::Button), ("y", "copy", Role::Key)];
    if lines.len() > usize::from(page) {
        all.push(("down", &more, Role::Key));
    }
    keys(ink, row, &all);
}
