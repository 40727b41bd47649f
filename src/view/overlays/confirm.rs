//! The dialog before an act: what it will touch, the gentler choice, and Cancel in the focus.

use ratatui::layout::Rect;

use super::{frame, keys};
use crate::app::Confirming;
use crate::model::{Confirm, Intent, Plan, QueueChange, SafeText};
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
        let inside = frame(ink, area, width.min(60), 6, title(&it.intent));
        let ink = &mut ink.on(Role::Dialog);
        let (text, role) = match &it.disarmed {
            Some(why) => (why.as_str(), Role::Warning),
            None => ("reading what it would touch …", Role::Muted),
        };
        for (y, line) in (inside.y..).zip(wrap(text, usize::from(inside.width), 2)) {
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
    for (y, (label, text, role)) in (inside.y..end).zip(&lines) {
        ink.put(inside.x, y, LABEL, label, Role::Muted);
        let from = if label.is_empty() && *role != Role::Text { inside.x } else { inside.x + LABEL };
        ink.put(from, y, inside.right() - from, text, *role);
    }
    let row = Rect { y: inside.bottom() - 1, height: 1, ..inside };
    choices(ink, row, it, plan, scene);
}

/// Label, text and role of every line.
fn lines(plan: &Plan, it: &Confirming, scene: &Scene<'_>, width: u16) -> Vec<(String, String, Role)> {
    let room = usize::from(width.saturating_sub(LABEL));
    let mut out: Vec<(String, String, Role)> = Vec::new();
    let mut add = |label: &str, text: &str, role: Role, room: usize| {
        let mut label = label.to_owned();
        if text.is_empty() {
            out.push((String::new(), String::new(), role));
        }
        for line in wrap(text, room, 2) {
            out.push((std::mem::take(&mut label), line, role));
        }
    };
    for line in plan.lines.iter().take(16) {
        add(line.label.as_str(), line.text.as_str(), Role::Text, room);
    }
    for warning in plan.warnings.iter().take(4) {
        add("beware", warning.as_str(), Role::Warning, room);
    }
    add("", "", Role::Muted, room);
    if let Some(gentler) = plan.gentler.as_ref().filter(|gentler| gentler.intent.is_none()) {
        add("", gentler.says.as_str(), Role::Muted, usize::from(width));
    }
    let actor = &scene.app.settings.actor;
    add("Journal", &format!("{actor} → {}", journal(&plan.intent, scene)), Role::Muted, room);
    if let Some(why) = &it.disarmed {
        add("", "", Role::Muted, room);
        add("", &format!("No longer as planned: {why}"), Role::Critical, usize::from(width));
    } else if let Confirm::Name(name) = &it.confirm {
        add("", "", Role::Muted, room);
        add("type", &format!("{name}   to confirm, then Enter:  {}_", it.typed), Role::Input, room);
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
        Intent::ClearNamespace { namespace, .. } => {
            format!("clear {} ({}*)", namespace.name, namespace.prefix)
        }
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
