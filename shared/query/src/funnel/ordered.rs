//! Steps one at or after the other.
//!
//! Events of one instant are looked at together, since a step may be filled by one whose id is lower than that of the step
//! before. Between instants, attempts that wait for the same step are kept as one (`attempts`). Why the earliest
//! attempts are at the front of each place: of two attempts with starts at different instants, the one that began earlier has
//! reached each step no later, as long as its window is open and no excluded event has ended it.

use super::attempts::{Attempts, Group, Start};
use super::walk::{Attempt, Rules, Seen};
use crate::QueryError;

/// Most that the attempts of one actor may weigh at a time, in units of some 40 bytes.
const WEIGHT_MAX: usize = 4_000_000;

/// The walk. What it has taken of memory for one actor is there for the next.
#[derive(Debug, Default)]
pub(crate) struct OrderedWalk {
    /// Whether the actor had an event yet.
    is_begun: bool,
    now: Now,
    /// By the last step reached, the attempts that wait for the next one.
    waiting: Vec<Attempts>,
    weight: usize,
    best: Option<(Start, Attempt)>,
}

/// The events of one instant, as many as can matter.
#[derive(Debug, Default)]
struct Now {
    at: i64,
    /// By id.
    events: Vec<Seen>,
    /// For each step how many of the events fit it.
    fitting: Vec<usize>,
    /// A bit for each step and exclusion that some event of the instant matches.
    marks: u64,
}

impl Now {
    fn begin(&mut self, rules: &Rules, at: i64) {
        self.at = at;
        self.events.clear();
        self.fitting.clear();
        self.fitting.resize(rules.steps, 0);
        self.marks = 0;
    }

    /// Takes an event. Of those that fit a step, as many matter as there are steps: an attempt uses no more, and of more
    /// starts one is used by no attempt of a later one, so that it gets as far and is earlier.
    fn push(&mut self, rules: &Rules, event: Seen) {
        self.marks |= event.marks;
        let mut matters = false;
        for (step, count) in self.fitting.iter_mut().enumerate() {
            if event.fits(step) && *count < rules.steps {
                *count += 1;
                matters = true;
            }
        }
        if matters {
            self.events.push(event);
        }
    }

    /// How many steps are reached at the end of the instant by an attempt that had reached `reached` before, and had `used` an
    /// event of it.
    fn go_on(&self, rules: &Rules, mut reached: usize, used: Option<usize>) -> usize {
        let mut used: u128 = used.map_or(0, |place| 1 << place);
        while reached < rules.steps {
            let fits = |(place, event): &(usize, &Seen)| used & (1 << place) == 0 && event.fits(reached);
            let Some((place, _)) = self.events.iter().enumerate().find(fits) else { break };
            used |= 1 << place;
            reached += 1;
        }
        reached
    }
}

impl OrderedWalk {
    pub(super) fn event(&mut self, rules: &Rules, event: Seen) -> Result<(), QueryError> {
        if !self.is_begun {
            self.is_begun = true;
            if self.waiting.is_empty() {
                self.waiting.push(Attempts::Begun(Default::default()));
                self.waiting.resize_with(rules.steps, || Attempts::Moved(Default::default()));
            }
            self.now.begin(rules, event.at);
        }
        if event.at != self.now.at {
            self.pass(rules);
            self.now.begin(rules, event.at);
        }
        self.now.push(rules, event);
        if self.weight > WEIGHT_MAX {
            let message = "one actor has too many attempts under way at once; shorten window, narrow date_range, or add a \
                           filter to the first step";
            return Err(QueryError::too_large("window", message));
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, rules: &Rules) -> Option<Attempt> {
        if std::mem::take(&mut self.is_begun) {
            self.pass(rules);
        }
        self.waiting.iter_mut().for_each(Attempts::clear);
        self.weight = 0;
        self.best.take().map(|(_, attempt)| attempt)
    }

    /// Lets the events of the instant happen.
    fn pass(&mut self, rules: &Rules) {
        let at = self.now.at;
        let oldest = at.saturating_sub(rules.window);
        for attempts in &mut self.waiting {
            self.weight -= attempts.forget_before(oldest);
        }
        // Those that wait for the last step first: nobody moves twice.
        for step in (0..rules.steps - 1).rev() {
            let Some(attempts) = self.waiting.get_mut(step).filter(|attempts| !attempts.is_empty()) else { continue };
            let reached = self.now.go_on(rules, step + 1, None);
            if reached > step + 1 {
                let group = Group::new(at, step + 1, attempts.take());
                self.arrive(rules, group, reached);
            }
        }
        if at < rules.starts_before && !self.is_complete(rules) {
            self.begin(rules);
        }
        for (_, (after, before)) in rules.excluding(self.now.marks) {
            for attempts in self.waiting.iter_mut().take(before).skip(after) {
                self.weight -= attempts.end_those_past(after, at);
            }
        }
    }

    /// Begins an attempt with each event of the instant that is a first step.
    fn begin(&mut self, rules: &Rules) {
        for place in 0..self.now.events.len() {
            let Some(event) = self.now.events.get(place).filter(|event| event.fits(0)) else { continue };
            let start = Start { at: event.at, place, label: event.label.clone() };
            let reached = self.now.go_on(rules, 1, Some(place));
            let mut begun = Attempts::Begun(Default::default());
            if reached > 1 {
                self.weight += begun.push_start(start);
                self.arrive(rules, Group::new(self.now.at, 0, begun), reached);
            } else {
                self.consider(1, &start, || vec![start.at]);
                if let Some(waiting) = self.waiting.first_mut() {
                    self.weight += waiting.push_start(start);
                }
            }
        }
    }

    /// Takes attempts in that have just reached so many steps.
    fn arrive(&mut self, rules: &Rules, group: Group, reached: usize) {
        if let Some((start, times)) = group.earliest(reached) {
            self.consider(reached, start, || times);
        }
        // Those that are through need not be kept.
        if reached == rules.steps {
            self.weight -= group.weight();
        } else if let Some(waiting) = self.waiting.get_mut(reached - 1) {
            self.weight += waiting.push_group(group);
        }
    }

    /// Keeps an attempt that gets further than the best, or as far from an earlier start.
    fn consider(&mut self, reached: usize, start: &Start, times: impl FnOnce() -> Vec<i64>) {
        let is_better = self.best.as_ref().is_none_or(|(best, attempt)| {
            attempt.times.len() < reached || (attempt.times.len() == reached && start.is_before(best))
        });
        if is_better {
            let attempt = Attempt { times: times(), label: start.label.clone() };
            self.best = Some((start.clone(), attempt));
        }
    }

    /// Whether an attempt is through: one that begins later can do no better.
    fn is_complete(&self, rules: &Rules) -> bool {
        self.best.as_ref().is_some_and(|(_, attempt)| attempt.times.len() == rules.steps)
    }
}
