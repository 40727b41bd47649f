//! What a terminal of 256 colours shows in a true colour's place: one that reads `38;2;r;g;b` as something
//! else would show letters that blink or none at all.

use ratatui::style::Color;

/// The six steps of the colour cube.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
/// Where the cube begins among the 256, and the greys behind it.
const CUBE: u8 = 16;
const GREYS: u8 = 232;

/// The nearest of the 240 colours that look the same on every terminal; others stay as they are.
pub(super) fn nearest(color: Color) -> Color {
    let Color::Rgb(red, green, blue) = color else { return color };
    let off = |other: [u8; 3]| -> u32 {
        let parts = [red, green, blue].into_iter().zip(other);
        parts.map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
    };
    let step = |part: u8| (0..6u8).min_by_key(|at| STEPS[usize::from(*at)].abs_diff(part)).unwrap_or(0);
    let [r, g, b] = [red, green, blue].map(step);
    let in_cube = [r, g, b].map(|at| STEPS[usize::from(at)]);
    let grey = |at: u8| [8 + 10 * at; 3];
    let at = (0..24u8).min_by_key(|at| off(grey(*at))).unwrap_or(0);
    Color::Indexed(if off(grey(at)) < off(in_cube) { GREYS + at } else { CUBE + 36 * r + 6 * g + b })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_colour_is_found_in_the_cube_or_among_the_greys() {
        assert_eq!(nearest(Color::Rgb(255, 255, 255)), Color::Indexed(231));
        assert_eq!(nearest(Color::Rgb(0, 0, 0)), Color::Indexed(16));
        assert_eq!(nearest(Color::Rgb(215, 0, 95)), Color::Indexed(161));
        assert_eq!(nearest(Color::Rgb(17, 19, 18)), Color::Indexed(233));
        assert_eq!(nearest(Color::Red), Color::Red);
        assert_eq!(nearest(Color::Reset), Color::Reset);
    }
}
