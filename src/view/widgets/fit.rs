//! Which columns there is room for, and where they stand.

/// One column that wants room.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// Cells it needs.
    pub width: u16,
    /// 0 is never dropped; higher numbers are dropped first.
    pub priority: u8,
    /// Takes what is left over (one column does; several share it).
    pub grows: bool,
}

/// Width of each column in `room` cells with one cell between them; `None` was dropped. Only growing columns shrink.
#[must_use]
pub fn fit(slots: &[Slot], room: u16) -> Vec<Option<u16>> {
    let mut kept: Vec<bool> = slots.iter().map(|_| true).collect();
    let needs = |kept: &[bool]| {
        let shown = slots.iter().zip(kept).filter(|(_, kept)| **kept);
        shown.fold(0u16, |sum, (slot, _)| sum.saturating_add(slot.width + 1)).saturating_sub(1)
    };
    while needs(&kept) > room {
        let drop = (0..slots.len()).filter(|at| kept[*at] && slots[*at].priority > 0);
        let Some(drop) = drop.max_by_key(|at| (slots[*at].priority, *at)) else { break };
        kept[drop] = false;
    }
    let growing = slots.iter().zip(&kept).filter(|(slot, kept)| **kept && slot.grows).count();
    let growing = u16::try_from(growing).unwrap_or(u16::MAX);
    let needed = needs(&kept);
    let (mut more, mut less) = (room.saturating_sub(needed), needed.saturating_sub(room));
    let mut left = growing;
    let place = |(slot, kept): (&Slot, &bool)| {
        kept.then(|| {
            if !slot.grows {
                return slot.width;
            }
            let (add, take) = (more / left.max(1), less.div_ceil(left.max(1)).min(slot.width));
            more -= add;
            less -= take;
            left -= 1;
            slot.width + add - take
        })
    };
    slots.iter().zip(&kept).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_needed_column_goes_first_and_the_growing_one_takes_the_rest() {
        let slot = |width, priority, grows| Slot { width, priority, grows };
        let slots = [slot(8, 0, true), slot(6, 1, false), slot(5, 3, false), slot(5, 2, false)];
        assert_eq!(fit(&slots, 40), [Some(21), Some(6), Some(5), Some(5)]);
        assert_eq!(fit(&slots, 22), [Some(9), Some(6), None, Some(5)]);
        assert_eq!(fit(&slots, 16), [Some(9), Some(6), None, None]);
        assert_eq!(fit(&slots, 5), [Some(5), None, None, None]);
    }
}
