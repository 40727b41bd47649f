//! The whole state as cells: a pure function of what is known, drawn into a buffer, so that a test or
//! a picture needs no terminal. Knows app, detect, store and model; asks for roles, never for colours
//! (those live in `theme.rs`); never sees a source, an action or the network.

mod depth;
mod events;
pub mod format;
mod header;
mod heat;
mod hints;
pub mod ink;
mod layout;
mod overlays;
mod overview;
mod page;
mod panes;
mod scene;
mod svg;
mod theme;
mod verdict;
pub mod widgets;
mod zoom;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub use svg::{Palette, svg};
pub use theme::{Role, Theme, ThemeError};

use crate::app::{App, Place};
use ink::Ink;
use scene::Scene;

/// The smallest screen that can be read.
pub const SMALLEST: (u16, u16) = (60, 20);

/// Draws the whole screen into `area`.
pub fn view(app: &App, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    let mut ink = Ink::new(buf, theme);
    ink.fill(area, Role::Text);
    let scene = Scene::of(app);
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return too_small(&mut ink, area, &scene);
    }
    match app.viewpoint.place() {
        Place::Zoom(pane, tab) => zoom::draw(&mut ink, area, *pane, *tab, &scene),
        Place::Detail(tab, key) => page::draw(&mut ink, area, *tab, key, &scene),
        Place::Overview => overview::draw(&mut ink, area, &scene),
    }
    overlays::draw(&mut ink, area, &scene);
}

/// What can still be said where nothing else fits: the verdict, and what size is needed.
fn too_small(ink: &mut Ink<'_>, area: Rect, scene: &Scene<'_>) {
    let verdict = &scene.world.judgement.verdict;
    let head = verdict::head(verdict);
    let text = [
        format!("{} {head}", verdict.severity.glyph()),
        verdict.says.clone(),
        format!("warroom needs {}x{}; this is {}x{}.", SMALLEST.0, SMALLEST.1, area.width, area.height),
    ];
    let roles = [Role::of(verdict.severity), Role::Text, Role::Muted];
    let mut y = area.y;
    for (text, role) in text.iter().zip(roles) {
        for line in ink::wrap(text, usize::from(area.width), 4) {
            if y < area.bottom() {
                ink.put(area.x, y, area.width, &line, role);
                y += 1;
            }
        }
    }
}
