//! Steps in any order, from the first event that is one.

use super::walk::{Attempt, Course, Rules, Seen};

/// The walk: one attempt, whose k-th step is the k-th that was filled.
#[derive(Debug, Default)]
pub(crate) struct UnorderedWalk {
    course: Option<Course>,
    /// A bit for each step that is filled.
    filled: u64,
    is_over: bool,
}

impl UnorderedWalk {
    pub(super) fn event(&mut self, rules: &Rules, event: &Seen) {
        if self.is_over {
            return;
        }
        let unfilled = (0..rules.steps).find(|step| event.fits(*step) && self.filled & (1 << step) == 0);
        match (&mut self.course, unfilled) {
            (None, Some(step)) if event.at < rules.starts_before => {
                self.filled = 1 << step;
                self.course = Some(Course::begin(rules, event));
            }
            (None, _) => {}
            (Some(course), _) if !course.is_open(rules, event.at) => self.is_over = true,
            (Some(course), unfilled) => {
                if let Some(step) = unfilled {
                    self.filled |= 1 << step;
                    self.is_over = !course.reach(rules, event.at);
                }
                course.note(rules, event);
            }
        }
    }

    pub(super) fn finish(self) -> Option<Attempt> {
        self.course.map(Course::into_attempt)
    }
}
