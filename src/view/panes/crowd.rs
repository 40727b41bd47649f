//! Many machines in one line: how many, how busy most of them are, and a strip with the worst at its left.
//! A mean would hide the one that burns.

use ratatui::layout::Rect;

use super::format;
use crate::model::{Severity, words};
use crate::view::ink::{Ink, cells};
use crate::view::theme::Role;

/// From this many machines on a pane tells of the crowd as well as of its worst.
const CROWD: usize = 9;
/// Narrower than this a strip says nothing.
const STRIP: u16 = 8;
const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// One machine of a crowd.
pub(super) struct Member {
    /// Whether it can be believed.
    pub(super) heard: bool,
    /// What is charted of it; `None` until it is measured.
    pub(super) share: Option<f64>,
    /// How bad that is.
    pub(super) severity: Severity,
}

/// The machines of a pane.
pub(super) struct Crowd {
    /// How many.
    all: usize,
    /// Shares of one with their severity, greatest first.
    shares: Vec<(f64, Severity)>,
    /// Machines that are not heard.
    silent: usize,
}

impl Crowd {
    /// A crowd, if these are enough to be one.
    pub(super) fn of(machines: impl Iterator<Item = Member>) -> Option<Self> {
        let mut crowd = Self { all: 0, shares: Vec::new(), silent: 0 };
        for one in machines {
            crowd.all += 1;
            crowd.silent += usize::from(!one.heard);
            crowd.shares.extend(one.share.filter(|_| one.heard).map(|share| (share, one.severity)));
        }
        crowd.shares.sort_by(|a, b| b.0.total_cmp(&a.0));
        (crowd.all >= CROWD).then_some(crowd)
    }

    /// The share that this part of the machines stays at or under.
    fn under(&self, part: f64) -> Option<f64> {
        let last = self.shares.len().checked_sub(1)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of a length")]
        let back = ((last as f64) * part).round() as usize;
        self.shares.get(last - back.min(last)).map(|(share, _)| *share)
    }

    /// Draws it into one line.
    pub(super) fn draw(&self, ink: &mut Ink<'_>, area: Rect) {
        let all = words::many(self.all as u64, "machine", "machines");
        let silent = if self.silent == 0 { String::new() } else { format!(", {} silent", self.silent) };
        let share = |part| format::maybe(self.under(part), format::share);
        let long = format!("{all}{silent}: half under {}, nine tenths under {}", share(0.5), share(0.9));
        let short = format!("{all}{silent}: half under {}", share(0.5));
        let least = format!("{all}{silent}");
        let fits = |text: &&String| cells(text) + 2 * STRIP < area.width;
        let told: &[&String] = if self.shares.is_empty() { &[] } else { &[&long, &short] };
        let text = told.iter().copied().find(fits).unwrap_or(&least);
        let x = ink.put(area.x, area.y, area.width, text, Role::Muted) + 1;
        let width = area.right().saturating_sub(x).min(60);
        if width < STRIP || self.shares.is_empty() {
            return;
        }
        // Each column is the worst of its part; parts are of one size, so the strip is the distribution.
        let columns = usize::from(width).min(self.shares.len());
        for column in 0..columns {
            let (first, end) = (
                column * self.shares.len() / columns,
                ((column + 1) * self.shares.len() / columns).min(self.shares.len()),
            );
            let part = &self.shares[first..end.max(first + 1)];
            let worst = part.iter().map(|(_, severity)| *severity).max().unwrap_or_default();
            let role = if worst == Severity::Ok { Role::Chart } else { Role::of(worst) };
            let at = x + u16::try_from(column).unwrap_or(u16::MAX);
            ink.put(at, area.y, 1, bar(part[0].0), role);
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 7")]
fn bar(share: f64) -> &'static str {
    BARS[(share * 8.0).clamp(0.0, 7.0) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_told_by_its_parts_and_a_few_are_none() {
        let one = |share: Option<f64>| Member { heard: share.is_some(), share, severity: Severity::Ok };
        let of = |n: u32| Crowd::of((0..n).map(|n| one(Some(f64::from(n) / 100.0))));
        assert!(of(8).is_none());
        let crowd = of(101).expect("many enough");
        assert_eq!((crowd.under(0.5), crowd.under(0.9), crowd.under(1.0)), (Some(0.5), Some(0.9), Some(1.0)));
        assert_eq!((bar(0.0), bar(0.5), bar(1.0)), ("▁", "▅", "█"));
        let silent = Crowd::of((0..9).map(|_| one(None))).expect("many enough");
        assert_eq!((silent.under(0.5), silent.silent), (None, 9));
    }
}
