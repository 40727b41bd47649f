//! The dialog before an act: what it will touch, the gentler choice, and Cancel in the focus.

use ratatui::layout::Rect;

use super::{frame, keys};
use crate::app::Confirming;
use crate::model::{Confirm, Intent, Plan, QueueChange, SafeText, Way};
use crate::view::ink::{Ink, wrap};
use crate::view::scene::Scene;
use crate::view::theme::Role;

/// Widest the dialog gets.
const WIDTH: u16 = 92;
/// Cells of a label.
const LABEL: u16 = 9;

/// Draws it.
pub(super) fn draw(ink: &mut Ink<'_>, area: Rect, it: &Confirming, scene: &Scene<'_>) {
    let width = WIDTH.min(area.width.saturating_sub(4));
    let Some(plan) = &it.plan else {
        let (text, role) = match &it.disarmed {
            Some(why) => (why.as_str(), Role::Warning),
            None => ("reading what it would touch …", Role::Muted),
        };
        // A refusal ends with what mends it: all of it is told.
        let width = if text.chars().count() > 110 { width } else { width.min(60) };
        let lines =
            wrap(text, usize::from(width.saturating_sub(4)), usize::from(area.height.saturating_sub(4)));
        let height = u16::try_from(lines.len()).unwrap_or(2).max(2) + 4;
        let inside = frame(ink, area, width, height.min(area.height), title(&it.intent));
        let ink = &mut ink.on(Role::Dialog);
        for (y, line) in (inside.y..).zip(lines) {
            ink.put(inside.x, y, inside.width, &line, role);
        }
        let row = Rect { y: inside.bottom() - 1, height: 1, ..inside };
        keys(ink, row, &[("[ Leave it ]", "", Role::Button)]);
        return;
    };
    let lines = lines(plan, it, scene, width - 4);
    let most = area.height.saturating_sub(2);
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(4).min(most);
    let inside = frame(ink, area, width, height, plan.title.as_str());
    let ink = &mut ink.on(Role::Dialog);
    let end = inside.bottom().saturating_sub(2);
    let lines = shortened(lines, usize::from(end.saturating_sub(inside.y)));
    for (y, line) in (inside.y..end).zip(&lines) {
        ink.put(inside.x, y, LABEL, &line.label, Role::Muted);
        let from = inside.x + if line.whole { 0 } else { LABEL };
        ink.put(from, y, inside.right() - from, &line.text, line.role);
    }
    let row = Rect { y: inside.bottom() - 1, height: 1, ..inside };
    choices(ink, row, it, plan, scene);
}

/// One line of the dialog.
struct Line {
    label: String,
    text: String,
    role: Role,
    /// It begins where the labels do.
    whole: bool,
}

/// As many of the lines as there is room for: the first and, since they say what is asked, the last.
fn shortened(mut lines: Vec<Line>, room: usize) -> Vec<Line> {
    const END: usize = 4;
    if lines.len() > room && room > END + 1 {
        let over = lines.len() - room + 1;
        let from = room - END - 1;
        let text = format!("… {over} more lines: a taller window shows them");
        let told = Line { label: String::new(), text, role: Role::Muted, whole: false };
        lines.splice(from..from + over, [told]);
    }
    lines
}

/// What the dialog says.
fn lines(plan: &Plan, it: &Confirming, scene: &Scene<'_>, width: u16) -> Vec<Line> {
    let mut out: Vec<Line> = Vec::new();
    let mut add = |label: &str, text: &str, role: Role, whole: bool| {
        let mut label = label.to_owned();
        let room = usize::from(if whole { width } else { width.saturating_sub(LABEL) });
        for text in wrap(text, room, 2) {
            out.push(Line { label: std::mem::take(&mut label), text, role, whole });
        }
        if text.is_empty() {
            out.push(Line { label, text: String::new(), role, whole });
        }
    };
    for line in plan.lines.iter().take(16) {
        add(line.label.as_str(), line.text.as_str(), Role::Text, false);
    }
    for warning in plan.warnings.iter().take(4) {
        add("beware", warning.as_str(), Role::Warning, false);
    }
    add("", "", Role::Muted, true);
    if let Some(gentler) = plan.gentler.as_ref().filter(|gentler| gentler.intent.is_none()) {
        add("", gentler.says.as_str(), Role::Muted, true);
    }
    let actor = &scene.app.settings.actor;
    add("Journal", &format!("{actor} → {}", journal(&plan.intent, scene)), Role::Muted, false);
    if let Some(why) = &it.disarmed {
        add("", "", Role::Muted, true);
        add("", &format!("No longer as planned: {why}"), Role::Critical, true);
    } else if let Confirm::Name(name) = &it.confirm {
        add("", "", Role::Muted, true);
        add("type", &format!("{name}   to confirm, then Enter:  {}_", it.typed), Role::Input, false);
    }
    out
}

fn choices(ink: &mut Ink<'_>, row: Rect, it: &Confirming, plan: &Plan, scene: &Scene<'_>) {
    if it.disarmed.is_some() {
        return keys(ink, row, &[("[ Close ]", "", Role::Button)]);
    }
    let armed = it.armed(scene.app.now);
    let act = if armed { Role::Key } else { Role::Greyed };
    let gentler = plan.gentler.as_ref().filter(|gentler| gentler.intent.is_some());
    // `c  only cancel its statement`: the key stands first in what it says.
    let gentler = gentler.map(|gentler| {
        let says = gentler.says.as_str();
        says.strip_prefix("c ").map_or(says, str::trim_start)
    });
    let mut all = vec![("[ Leave it ]", "", Role::Button)];
    if let Some(says) = gentler {
        all.push(("c", says, act));
    }
    match &it.confirm {
        Confirm::Key => all.push(("y", plan.verb.as_str(), act)),
        Confirm::Name(name) => {
            let ready = armed && it.typed == *name;
            all.push(("Enter", plan.verb.as_str(), if ready { Role::Key } else { Role::Greyed }));
        }
    }
    keys(ink, row, &all);
}

const fn title(intent: &Intent) -> &'static str {
    match intent {
        Intent::TerminateBackend { .. } => "End a session",
        Intent::CancelBackend { .. } => "Cancel a statement",
        Intent::RollbackPrepared { .. } => "Roll back a prepared transaction",
        Intent::ClearNamespace { .. } => "Clear a namespace",
        Intent::SetServer { .. } => "Change a server behind the proxy",
        Intent::PauseQueue { to: QueueChange::Pause, .. } => "Pause a queue",
        Intent::PauseQueue { to: QueueChange::Resume, .. } => "Resume a queue",
        Intent::MarkDeploy { .. } => "Mark a deploy",
    }
}

/// What the journal will say is wanted.
fn journal(intent: &Intent, scene: &Scene<'_>) -> String {
    match intent {
        Intent::TerminateBackend { backends, .. } => match backends.as_slice() {
            [one] => {
                let (at, millis) = (one.started, one.started.as_micros().rem_euclid(1_000_000) / 1_000);
                format!("terminate pid {} started {}.{millis:03}", one.pid, scene.clock(at))
            }
            many => format!("terminate {} sessions", many.len()),
        },
        Intent::CancelBackend { backend, .. } => format!("cancel the statement of pid {}", backend.pid),
        Intent::RollbackPrepared { gid, database, .. } => {
            format!("roll back prepared {} in {}", SafeText::new(gid), SafeText::new(database))
        }
        Intent::ClearNamespace { namespace, how, .. } => match how.way {
            Way::Remove => format!("clear {} ({}*)", namespace.name, namespace.prefix),
            Way::Expire { .. } => format!("let {} expire ({}*)", namespace.name, namespace.prefix),
            Way::Renew => format!("raise the version of {}", namespace.name),
        },
        Intent::SetServer { backend, server, to, .. } => {
            format!(
                "{} {}/{}",
                to.flag().trim_start_matches('-'),
                SafeText::new(backend),
                SafeText::new(server)
            )
        }
        Intent::PauseQueue { queue, to, .. } => {
            format!("{} {}", to.word(), SafeText::new(queue.as_deref().unwrap_or("all queues")))
        }
        Intent::MarkDeploy { label, .. } => format!("mark deploy {label}"),
    }
}
