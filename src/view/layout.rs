//! Where everything stands, by the size of the screen: the same order and the same corners at every size.

use ratatui::layout::Rect;

/// The places of the overview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overview {
    /// The top line.
    pub(super) header: Rect,
    /// The verdict, its chain and its key.
    pub(super) verdict: Rect,
    /// The six panes with their frames' top lines, row by row.
    pub(super) panes: [Rect; 6],
    /// Events, with the frame's top line.
    pub(super) events: Rect,
    /// The bottom line.
    pub(super) hints: Rect,
}

/// Lays the overview out.
pub(super) fn overview(area: Rect) -> Overview {
    let row = |y: u16, height: u16| Rect { x: area.x, y, width: area.width, height };
    let header = row(area.y, 1);
    let verdict = row(area.y + 1, verdict_height(area.height));
    let hints = row(area.bottom() - 1, 1);
    let room = hints.y - verdict.bottom();
    let pane = (room * 78 / 300).max(4);
    let left = area.width / 2;
    let mut panes = [Rect::default(); 6];
    for (at, place) in panes.iter_mut().enumerate() {
        let line = u16::try_from(at / 2).unwrap_or(0);
        let y = verdict.bottom() + line * pane;
        *place = if at % 2 == 0 {
            Rect { x: area.x, y, width: left - 1, height: pane }
        } else {
            Rect { x: area.x + left, y, width: area.width - left, height: pane }
        };
    }
    let below = verdict.bottom() + 3 * pane;
    Overview { header, verdict, panes, events: row(below, hints.y - below), hints }
}

/// Lines the verdict takes: fixed by the size, so that nothing jumps when it changes.
pub(super) const fn verdict_height(height: u16) -> u16 {
    match height {
        0..32 => 3,
        32..48 => 6,
        _ => 7,
    }
}

/// A box of this size in the middle of an area, never larger than it.
pub(super) fn middle(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_filled_from_top_to_bottom_without_overlap() {
        for width in 60..220 {
            for height in 20..80 {
                let it = overview(Rect::new(0, 0, width, height));
                assert_eq!(it.header.bottom(), it.verdict.y);
                assert_eq!(it.verdict.bottom(), it.panes[0].y);
                assert_eq!(it.panes[4].bottom(), it.events.y);
                assert_eq!(it.events.bottom(), it.hints.y);
                assert_eq!(it.hints.bottom(), height);
                assert_eq!((it.panes[1].x, it.panes[1].right()), (it.panes[0].right() + 1, width));
                assert!(it.events.height >= 3 && it.panes[0].height >= 4, "{width}x{height}");
            }
        }
    }

    #[test]
    fn at_80x24_it_is_the_screen_that_was_agreed() {
        let it = overview(Rect::new(0, 0, 80, 24));
        assert_eq!((it.verdict.height, it.panes[0].height, it.events.height), (3, 4, 7));
        assert_eq!((it.panes[0].width, it.panes[1].x), (39, 40));
    }
}
