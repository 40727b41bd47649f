//! The course of a value in cells: bars of eighths, gaps as gaps, deploys drawn in.

use std::time::Duration;

use ratatui::layout::Rect;

use crate::model::Timestamp;
use crate::view::ink::Ink;
use crate::view::theme::Role;

const BARS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// What the top of a chart stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Always this much: shares.
    Fixed(f64),
    /// At least this much, else the greatest value seen, rounded up to 1, 2 or 5 so that it seldom changes.
    AtLeast(f64),
}

/// A course ready to be drawn, one value a column.
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    /// Values, oldest first; `None` is a gap.
    pub values: &'a [Option<f64>],
    /// Columns in which a deploy was marked.
    pub marks: &'a [usize],
    /// What the top stands for.
    pub scale: Scale,
}

impl Chart<'_> {
    /// Draws it, newest at the right.
    pub fn draw(&self, ink: &mut Ink<'_>, area: Rect) {
        let top = self.top();
        let eighths = u32::from(area.height) * 8;
        let first = self.values.iter().position(Option::is_some);
        for column in 0..area.width {
            let behind = usize::from(area.width - 1 - column);
            let Some(at) = self.values.len().checked_sub(behind + 1) else { continue };
            let x = area.x + column;
            let bottom = area.bottom().saturating_sub(1);
            let marked = self.marks.contains(&at);
            match self.values[at] {
                Some(value) => {
                    let height = height(value / top, eighths);
                    for row in 0..area.height {
                        let full = height.saturating_sub(u32::from(row) * 8).min(8);
                        if let Some(bar) = full.checked_sub(1).and_then(|n| BARS.get(n as usize)) {
                            ink.put(x, bottom - row, 1, bar, Role::Chart);
                        } else if marked {
                            ink.put(x, bottom - row, 1, "┆", Role::Deploy);
                        }
                    }
                }
                None if first.is_some_and(|first| at > first) => {
                    ink.put(x, bottom, 1, "·", Role::ChartGap);
                }
                None => {}
            }
            if marked {
                ink.put(x, area.y, 1, "◆", Role::Deploy);
            }
        }
    }

    fn top(&self) -> f64 {
        match self.scale {
            Scale::Fixed(top) => top,
            Scale::AtLeast(least) => {
                let most = self.values.iter().flatten().fold(least, |most, value| most.max(*value));
                if most > least { round_up(most) } else { least.max(f64::MIN_POSITIVE) }
            }
        }
    }
}

/// Eighths of a cell a share of the whole height takes; never none, so that a zero is no gap.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the height")]
fn height(share: f64, eighths: u32) -> u32 {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    ((share * f64::from(eighths)).round() as u32).clamp(1, eighths.max(1))
}

/// The next of 1, 2, 5, 10, 20 … at or over `value`.
fn round_up(value: f64) -> f64 {
    let unit = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * unit).find(|step| *step >= value).unwrap_or(value)
}

/// The columns, of `columns` up to `now`, into which these instants fall.
#[must_use]
pub fn marks_at(
    marks: impl Iterator<Item = Timestamp>,
    now: Timestamp,
    step: Duration,
    columns: usize,
) -> Vec<usize> {
    let step = i64::try_from(step.as_micros()).unwrap_or(i64::MAX).max(1);
    let place = |at: Timestamp| at.as_micros().div_euclid(step);
    marks
        .filter_map(|at| usize::try_from(place(now) - place(at)).ok())
        .filter_map(|back| columns.checked_sub(back + 1))
        .collect()
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;

    use super::*;
    use crate::view::theme::Theme;

    fn drawn(values: &[Option<f64>], marks: &[usize], scale: Scale, width: u16, height: u16) -> Vec<String> {
        let theme = Theme::named("mono").expect("built in");
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        Chart { values, marks, scale }.draw(&mut Ink::new(&mut buf, &theme), area);
        (0..height).map(|y| (0..width).map(|x| buf[(x, y)].symbol()).collect()).collect()
    }

    #[test]
    fn a_gap_is_no_zero_and_a_zero_is_no_gap() {
        let values = [None, Some(0.0), None, Some(0.5), Some(1.0), Some(7.0)];
        assert_eq!(drawn(&values, &[], Scale::Fixed(1.0), 6, 1), [" ▁·▄██"]);
    }

    #[test]
    fn a_tall_chart_fills_from_below_and_shows_the_deploy() {
        let values = [Some(0.25), Some(1.0), Some(0.5)];
        assert_eq!(drawn(&values, &[0], Scale::Fixed(1.0), 3, 2), ["◆█ ", "▄██"]);
        assert_eq!(drawn(&values, &[0], Scale::Fixed(1.0), 2, 1), ["█▄"]);
    }

    #[test]
    fn a_scale_moves_in_steps() {
        let chart =
            |most: f64| Chart { values: &[Some(most)], marks: &[], scale: Scale::AtLeast(50.0) }.top();
        let tops = [3.0, 50.0, 51.0, 99.0, 101.0, 4_210.0].map(|most| format!("{}", chart(most)));
        assert_eq!(tops, ["50", "50", "100", "100", "200", "5000"]);
    }

    #[test]
    fn a_mark_falls_into_its_column() {
        let at = |s: i64| Timestamp::from_micros(s * 1_000_000);
        let step = Duration::from_secs(5);
        assert_eq!(marks_at([at(94), at(90), at(200), at(10)].into_iter(), at(101), step, 4), [1, 1]);
    }
}
