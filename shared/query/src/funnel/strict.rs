//! Steps that follow each other without an event between.

use super::walk::{Attempt, Course, Rules, Seen};

/// The walk: at each event every attempt goes on or is over, so that there is at most one a step.
#[derive(Debug, Default)]
pub(crate) struct StrictWalk {
    /// By the last step reached, the attempt whose last step is the event before.
    under_way: Vec<Option<Course>>,
    best: Option<Attempt>,
}

impl StrictWalk {
    pub(super) fn event(&mut self, rules: &Rules, event: &Seen) {
        self.under_way.resize(rules.steps, None);
        // From the last step down, so that an attempt moves by one.
        for step in (1..rules.steps).rev() {
            let Some(mut course) = self.under_way.get_mut(step - 1).and_then(Option::take) else { continue };
            if event.fits(step) && course.is_open(rules, event.at) && course.reach(rules, event.at) {
                course.note(rules, event);
                self.go_on(step, course);
            }
        }
        // What was reached last is over, whatever became of it.
        if event.fits(0) && event.at < rules.starts_before {
            self.go_on(0, Course::begin(rules, event));
        }
    }

    fn go_on(&mut self, step: usize, course: Course) {
        // Of two that get as far, the earlier one got there first.
        if self.best.as_ref().is_none_or(|best| best.times.len() < course.reached()) {
            self.best = Some(course.attempt().clone());
        }
        if let Some(place) = self.under_way.get_mut(step) {
            *place = Some(course);
        }
    }

    pub(super) fn finish(self) -> Option<Attempt> {
        self.best
    }
}
