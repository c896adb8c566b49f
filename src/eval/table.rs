//! Counts with what they may mean.

use serde::Serialize;

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_964;

/// A share with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The share.
    pub share: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// `hits` of `n`, by Wilson's score interval: E. B. Wilson, "Probable Inference, the Law of
    /// Succession, and Statistical Inference" (1927).
    #[must_use]
    pub fn of(hits: usize, n: usize) -> Self {
        if n == 0 {
            return Self { share: 0.0, low: 0.0, high: 1.0 };
        }
        let (share, n) = (hits as f64 / n as f64, n as f64);
        let spread = Z * Z / n;
        let middle = (share + spread / 2.0) / (1.0 + spread);
        let half = Z / (1.0 + spread) * (share * (1.0 - share) / n + spread / (4.0 * n)).sqrt();
        Self { share, low: (middle - half).max(0.0), high: (middle + half).min(1.0) }
    }
}

/// How one map did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The map, or what it is set beside.
    pub name: &'static str,
    /// Pictures or words it was asked about.
    pub n: usize,
    /// How often its strongest cell lay where it should.
    pub pointing: Interval,
    /// The mean share of its positive mass that lay there; `None` for a point, which has none.
    pub energy: Option<f64>,
}

/// Gathers what becomes a row.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    n: usize,
    hits: usize,
    energy: f64,
}

impl Tally {
    /// One more, with whether it pointed right and the share of its mass that lay right.
    pub fn add(&mut self, hit: bool, energy: f64) {
        self.n += 1;
        self.hits += usize::from(hit);
        self.energy += energy;
    }

    /// The row of it.
    pub fn row(&self, name: &'static str) -> Row {
        let energy = (self.n > 0).then(|| self.energy / self.n as f64);
        Row { name, n: self.n, pointing: Interval::of(self.hits, self.n), energy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_wilsons() {
        // Reference values: statsmodels' proportion_confint(method="wilson").
        let near = |a: f64, b: f64| (a - b).abs() < 1e-4;
        let half = Interval::of(5, 10);
        assert!(near(half.low, 0.2366) && near(half.high, 0.7634), "{half:?}");
        let none = Interval::of(0, 10);
        assert!(near(none.low, 0.0) && near(none.high, 0.2775), "{none:?}");
        assert_eq!(Interval::of(0, 0).high.to_bits(), 1f64.to_bits());
    }

    #[test]
    fn a_tally_becomes_a_row() {
        let mut tally = Tally::default();
        tally.add(true, 0.5);
        tally.add(false, 0.1);
        let row = tally.row("map");
        assert_eq!((row.n, row.pointing.share.to_bits()), (2, 0.5f64.to_bits()));
        assert!((row.energy.unwrap() - 0.3).abs() < 1e-9);
        assert_eq!(Tally::default().row("nothing").energy, None);
    }
}
