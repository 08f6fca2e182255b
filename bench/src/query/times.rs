//! How long something takes, over several runs.

use std::fmt;

/// Runs that are not counted.
pub const WARM_UPS: usize = 3;
/// Runs that are counted, where time allows.
pub const RUNS: usize = 30;

/// The counted runs, in milliseconds.
#[derive(Debug, Clone, Default)]
pub struct Times(Vec<f64>);

impl Times {
    /// Of these runs.
    pub fn new(mut millis: Vec<f64>) -> Self {
        millis.sort_by(f64::total_cmp);
        Self(millis)
    }

    /// How many warm-ups and counted runs fit into `seconds` where the first run took `millis`.
    pub fn that_fit(seconds: f64, millis: f64) -> (usize, usize) {
        let fitting = (seconds * 1_000.0 / millis.max(0.001)) as usize;
        let warm_ups = WARM_UPS.min(fitting / 4);
        (warm_ups, RUNS.min(fitting.saturating_sub(warm_ups)))
    }

    /// So many in a hundred took at most so long.
    pub fn percentile(&self, of_hundred: usize) -> f64 {
        let place = (self.0.len() * of_hundred).div_ceil(100).saturating_sub(1);
        self.0.get(place).copied().unwrap_or(f64::NAN)
    }

    /// The middle one.
    pub fn middle(&self) -> f64 {
        self.percentile(50)
    }
}

/// p50 and p95, and the number of runs where there were fewer than usual.
impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} / {:.1} ms", self.middle(), self.percentile(95))?;
        if self.0.len() < RUNS { write!(f, " ({} runs)", self.0.len()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_runs() {
        let times = Times::new((1..=30).rev().map(f64::from).collect());
        assert_eq!((times.middle(), times.percentile(95)), (15.0, 29.0));
        assert_eq!(times.to_string(), "15.0 / 29.0 ms");
        assert_eq!(Times::new(vec![2.0]).to_string(), "2.0 / 2.0 ms (1 runs)");
        assert!(Times::default().middle().is_nan());
    }

    #[test]
    fn slow_questions_are_asked_less_often() {
        assert_eq!(Times::that_fit(10.0, 1.0), (3, 30));
        assert_eq!(Times::that_fit(10.0, 4_000.0), (0, 2));
        assert_eq!(Times::that_fit(10.0, 40_000.0), (0, 0));
    }
}
