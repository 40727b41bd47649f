//! A mean number of waiters, and how many looks it rests on: what may be chance is not judged.

/// Fewer looks that met somebody prove nothing.
const ENOUGH: f64 = 5.0;

/// What looks at a queue told of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Seen {
    /// Mean number over time.
    pub(super) mean: f64,
    /// Looks that met somebody; where each poll is one look, whom they met, added up.
    pub(super) met: f64,
}

impl Seen {
    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self { mean: self.mean + other.mean, met: self.met + other.met }
    }

    /// What the mean is at least. How often a look meets somebody scatters by the root of that number.
    pub(super) fn at_least(self) -> f64 {
        if self.met < ENOUGH { 0.0 } else { self.mean * (1.0 - self.met.sqrt().recip()) }
    }

    /// The part of the mean that chance may have made.
    pub(super) fn chance(self) -> f64 {
        self.mean - self.at_least()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_looks_prove_nothing_and_many_prove_nearly_all() {
        let seen = |met| Seen { mean: 0.2, met };
        assert!(seen(0.0).at_least() < 1e-9 && seen(4.0).at_least() < 1e-9);
        assert!((seen(16.0).at_least() - 0.15).abs() < 1e-9, "{}", seen(16.0).at_least());
        assert!((seen(100.0).chance() - 0.02).abs() < 1e-9, "{}", seen(100.0).chance());
        let both = seen(3.0).and(seen(6.0));
        assert!((both.at_least() - 0.4 * 2.0 / 3.0).abs() < 1e-9, "what two servers show adds up: {both:?}");
    }
}
