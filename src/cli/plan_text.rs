//! A plan and its progress as lines of text.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::model::words::span;
use crate::model::{Gentler, Intent, Plan, Progress, Way};

/// What an act would touch, as the console's dialog says it.
pub(super) fn print_plan(plan: &Plan) -> String {
    let mut out = format!("{}\n", plan.title);
    let width = plan.lines.iter().map(|line| line.label.as_str().chars().count()).max().unwrap_or(0);
    for line in &plan.lines {
        writeln!(out, "  {:<width$}  {}", line.label, line.text).ok();
    }
    for warning in &plan.warnings {
        writeln!(out, "  ! {warning}").ok();
    }
    if let Some(gentler) = &plan.gentler {
        writeln!(out, "  gentler: {}", gentler_by_flag(gentler)).ok();
    }
    out.trim_end().to_owned()
}

/// The gentler way as one asks for it here, where its key of the dialog does nothing.
fn gentler_by_flag(gentler: &Gentler) -> String {
    let way = gentler.intent.as_ref().and_then(|intent| match intent {
        Intent::ClearNamespace { how, .. } => Some(how.way),
        _ => None,
    });
    match way {
        Some(Way::Expire { over_ms }) => {
            let over = span(over_ms as f64 / 1e3);
            format!("--expire-over {}s lets them expire over {over}", over_ms / 1_000)
        }
        Some(Way::Renew) => "--bump raises its version instead".into(),
        _ => gentler.says.to_string(),
    }
}

/// How far it is, over the line before.
pub(super) fn show_progress(at: &Progress) {
    let mut err = std::io::stderr().lock();
    write!(err, "\r\x1b[K{:3.0} %  {}", at.share * 100.0, at.says).and_then(|()| err.flush()).ok();
    if at.share >= 1.0 {
        writeln!(err).ok();
    }
}

/// A line that stays, in the place of the one that tells how far it is.
pub(super) fn show_beside(text: &str) {
    writeln!(std::io::stderr().lock(), "\r\x1b[K{text}").ok();
}
