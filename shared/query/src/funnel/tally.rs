//! The figures of a funnel, from one counted attempt after the other.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::walk::Attempt;
use super::{BREAKDOWN_MAX, BreakdownFunnel, ReachedStep, Step};
use crate::{QueryError, ROW_BUDGET};

/// Most steps reached whose durations are kept for the medians.
const DURATIONS_MAX: usize = 10_000_000;
/// Most bytes of all values of a breakdown.
const VALUES_BYTES_MAX: usize = 64 << 20;

/// What is called the rest of a breakdown.
const OTHER: &str = "other";

/// How far actors got, and how long it took them.
#[derive(Debug, Clone, Default)]
struct Reached {
    /// For each step how many reached it.
    counts: Vec<u64>,
    /// For each step the microseconds since the step before; none for the first.
    durations: Vec<Vec<i64>>,
}

impl Reached {
    fn take(&mut self, attempt: &Attempt) {
        let reached = attempt.times.len();
        if self.counts.len() < reached {
            self.counts.resize(reached, 0);
            self.durations.resize(reached, Vec::new());
        }
        self.counts.iter_mut().take(reached).for_each(|count| *count += 1);
        for (durations, pair) in self.durations.iter_mut().skip(1).zip(attempt.times.windows(2)) {
            if let [before, at] = pair {
                durations.push(at - before);
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        let reached = self.counts.len().max(other.counts.len());
        self.counts.resize(reached, 0);
        self.durations.resize(reached, Vec::new());
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, other)| *count += other);
        self.durations.iter_mut().zip(&other.durations).for_each(|(durations, other)| durations.extend(other));
    }

    fn figures(&mut self, steps: &[Step]) -> Vec<ReachedStep> {
        self.counts.resize(steps.len(), 0);
        self.durations.resize(steps.len(), Vec::new());
        let first = self.counts.first().copied().unwrap_or(0);
        let mut previous = first;
        let mut figures = Vec::with_capacity(steps.len());
        for ((step, count), durations) in steps.iter().zip(&self.counts).zip(&mut self.durations) {
            figures.push(ReachedStep {
                name: step.name.clone(),
                count: *count,
                ratio_previous: ratio(*count, previous),
                ratio_first: ratio(*count, first),
                median_seconds: median(durations),
                average_seconds: average(durations),
            });
            previous = *count;
        }
        figures
    }
}

/// What has been counted so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    values: HashMap<Option<Arc<str>>, Reached, RandomState>,
    values_bytes: usize,
    durations: usize,
}

impl Tally {
    /// Counts an actor's attempt.
    pub(super) fn take(&mut self, attempt: &Attempt) -> Result<(), QueryError> {
        self.of_value(&attempt.label, attempt.times.len() - 1)?.take(attempt);
        Ok(())
    }

    /// Takes in what was counted elsewhere, of other actors.
    pub(super) fn join(&mut self, other: Self) -> Result<(), QueryError> {
        for (value, reached) in other.values {
            let durations = reached.durations.iter().map(Vec::len).sum();
            self.of_value(&value, durations)?.merge(&reached);
        }
        Ok(())
    }

    /// What is counted of a value, where so many durations more can be kept.
    fn of_value(&mut self, value: &Option<Arc<str>>, durations: usize) -> Result<&mut Reached, QueryError> {
        self.durations += durations;
        if self.durations > DURATIONS_MAX {
            let message = format!("more than {DURATIONS_MAX} steps were reached; narrow date_range or add a filter");
            return Err(QueryError::too_large("date_range", message));
        }
        if !self.values.contains_key(value) {
            self.values_bytes += value.as_ref().map_or(0, |value| value.len());
            if self.values.len() >= ROW_BUDGET || self.values_bytes > VALUES_BYTES_MAX {
                let message = format!(
                    "the breakdown has more than {ROW_BUDGET} values, or more text than fits; narrow date_range, add a filter \
                     or take another field"
                );
                return Err(QueryError::too_large("breakdown", message));
            }
        }
        Ok(self.values.entry(value.clone()).or_default())
    }

    /// The figures of all actors, and those of each value: of most actors first, of equal counts bytewise, null last; what is
    /// behind the first [`BREAKDOWN_MAX`] together.
    pub(super) fn finish(self, steps: &[Step]) -> (Vec<ReachedStep>, Vec<BreakdownFunnel>) {
        let mut values: Vec<(Option<Arc<str>>, Reached)> = self.values.into_iter().collect();
        let begun = |reached: &Reached| reached.counts.first().copied().unwrap_or(0);
        values.sort_by(|(a, a_reached), (b, b_reached)| {
            let by_count = begun(b_reached).cmp(&begun(a_reached));
            by_count.then_with(|| a.is_none().cmp(&b.is_none())).then_with(|| a.cmp(b))
        });
        let mut all = Reached::default();
        values.iter().for_each(|(_, reached)| all.merge(reached));
        let rest = values.split_off(values.len().min(BREAKDOWN_MAX));
        let mut breakdown: Vec<BreakdownFunnel> = values
            .into_iter()
            .map(|(value, mut reached)| BreakdownFunnel {
                value: value.map(|value| value.as_ref().to_owned()),
                steps: reached.figures(steps),
            })
            .collect();
        if !rest.is_empty() {
            let mut other = Reached::default();
            rest.iter().for_each(|(_, reached)| other.merge(reached));
            breakdown.push(BreakdownFunnel { value: Some(OTHER.to_owned()), steps: other.figures(steps) });
        }
        (all.figures(steps), breakdown)
    }
}

fn ratio(numerator: u64, denominator: u64) -> Option<f64> {
    (denominator > 0).then(|| numerator as f64 / denominator as f64)
}

/// The middle one, or the mean of the two in the middle, in seconds.
fn median(micros: &mut [i64]) -> Option<f64> {
    let middle = micros.len() / 2;
    if micros.is_empty() {
        return None;
    }
    let is_odd = micros.len() % 2 == 1;
    let (below, upper, _) = micros.select_nth_unstable(middle);
    let lower = if is_odd { *upper } else { below.iter().max().copied().unwrap_or(*upper) };
    Some((i128::from(lower) + i128::from(*upper)) as f64 / 2e6)
}

/// The mean in seconds.
fn average(micros: &[i64]) -> Option<f64> {
    let sum: i128 = micros.iter().copied().map(i128::from).sum();
    (!micros.is_empty()).then(|| sum as f64 / (micros.len() as f64 * 1e6))
}
