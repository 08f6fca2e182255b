//! The walks held against attempts worked out by hand.

use std::sync::Arc;

use super::StepOrder;
use super::walk::{Attempt, Rules, Seen, Walk};

fn rules(steps: usize, window: i64) -> Rules {
    Rules { steps, window, starts_before: 1_000, exclusions: Vec::new() }
}

/// Walks events given as the instant and the digits of what they match: steps first, then exclusions. Their order is that of
/// their ids where instants are equal. Gives the instants of the counted attempt and the place of the event it began with.
fn walk(order: StepOrder, rules: &Rules, events: &[(i64, &str)]) -> Option<(Vec<i64>, usize)> {
    let mut walk = Walk::new(order);
    let attempt = |walk: &mut Walk| {
        for (place, (at, marks)) in events.iter().enumerate() {
            let marks = marks.bytes().map(|digit| 1 << (digit - b'0')).sum();
            walk.event(rules, Seen { at: *at, marks, label: Some(Arc::from(place.to_string())) }).unwrap();
        }
        walk.finish(rules)
    };
    let first = attempt(&mut walk);
    assert_eq!(attempt(&mut walk), first, "the next actor's walk begins anew");
    first.map(|Attempt { times, label }| (times, label.unwrap().parse().unwrap()))
}

fn ordered(rules: &Rules, events: &[(i64, &str)]) -> Option<(Vec<i64>, usize)> {
    walk(StepOrder::Ordered, rules, events)
}

#[test]
fn the_window_holds_both_ends_and_the_earliest_of_the_furthest_counts() {
    let rules = rules(3, 10);
    assert_eq!(ordered(&rules, &[]), None);
    assert_eq!(ordered(&rules, &[(1, "1"), (2, "2")]), None);
    assert_eq!(ordered(&rules, &[(0, "0"), (1, "1"), (10, "2")]), Some((vec![0, 1, 10], 0)));
    assert_eq!(ordered(&rules, &[(0, "0"), (1, "1"), (11, "2")]), Some((vec![0, 1], 0)));
    // The first start's window closes before the last step; the second one's does not.
    assert_eq!(ordered(&rules, &[(0, "0"), (1, "0"), (2, "0"), (3, "1"), (11, "2")]), Some((vec![1, 3, 11], 1)));
    // As far as each other.
    assert_eq!(ordered(&rules, &[(0, "0"), (1, "1"), (20, "0"), (21, "1")]), Some((vec![0, 1], 0)));
    // Steps out of order are no steps.
    assert_eq!(ordered(&rules, &[(0, "0"), (1, "2"), (2, "1")]), Some((vec![0, 2], 0)));
    // Attempts that met at a step part again where a window closes.
    assert_eq!(
        ordered(&rules, &[(0, "0"), (4, "1"), (5, "0"), (6, "1"), (15, "2"), (16, "2")]),
        Some((vec![5, 6, 15], 2))
    );
}

#[test]
fn a_first_step_lies_in_the_range_and_the_others_need_not() {
    let rules = rules(2, 10);
    assert_eq!(ordered(&rules, &[(1_000, "0"), (1_001, "1")]), None);
    assert_eq!(ordered(&rules, &[(999, "0"), (1_009, "1")]), Some((vec![999, 1_009], 0)));
    assert_eq!(walk(StepOrder::Strict, &rules, &[(1_000, "0"), (1_001, "1")]), None);
    assert_eq!(walk(StepOrder::Any, &rules, &[(1_000, "0"), (1_001, "1")]), None);
    assert_eq!(walk(StepOrder::Any, &rules, &[(999, "1"), (1_009, "0")]), Some((vec![999, 1_009], 0)));
}

#[test]
fn of_equal_times_the_lowest_id_that_fits_is_next_and_an_event_fills_one_step() {
    let rules = rules(3, 10);
    // One event is no two steps.
    assert_eq!(ordered(&rules, &[(0, "012")]), Some((vec![0], 0)));
    assert_eq!(ordered(&rules, &[(0, "012"), (0, "012"), (0, "012")]), Some((vec![0, 0, 0], 0)));
    // The later steps have the lower ids.
    assert_eq!(ordered(&rules, &[(5, "2"), (5, "1"), (5, "0")]), Some((vec![5, 5, 5], 2)));
    // The start with the lower id needs itself for the second step; the other one gets further.
    assert_eq!(ordered(&rules, &[(5, "01"), (5, "0"), (6, "2")]), Some((vec![5, 5, 6], 1)));
    // Both get as far, the one with the lower id later.
    assert_eq!(ordered(&rules, &[(5, "01"), (5, "0"), (6, "1")]), Some((vec![5, 6], 0)));
    assert_eq!(ordered(&rules, &[(5, "01"), (5, "0"), (6, "1"), (7, "2")]), Some((vec![5, 6, 7], 0)));
    // Of starts at one instant that do the same, the lowest id counts, also once they have moved on together.
    assert_eq!(ordered(&rules, &[(5, "0"), (5, "0"), (6, "1")]), Some((vec![5, 6], 0)));
    assert_eq!(ordered(&rules, &[(5, "0"), (5, "0"), (6, "1"), (7, "2")]), Some((vec![5, 6, 7], 0)));
    // The lowest id that fits is taken though the other one would leave it for the last step.
    assert_eq!(ordered(&rules, &[(0, "0"), (5, "12"), (5, "1")]), Some((vec![0, 5], 0)));
}

#[test]
fn more_events_of_one_instant_than_steps_change_nothing() {
    let rules = rules(3, 10);
    let mut events = vec![(5, "0"); 200];
    events.extend([(5, "1"); 200]);
    events.extend([(5, "012"); 3]);
    assert_eq!(ordered(&rules, &events), Some((vec![5, 5, 5], 0)));
}

#[test]
fn strict_steps_have_no_event_between() {
    let rules = rules(3, 10);
    let strict = |events: &[(i64, &str)]| walk(StepOrder::Strict, &rules, events);
    assert_eq!(strict(&[(0, "0"), (1, "1"), (2, "2")]), Some((vec![0, 1, 2], 0)));
    assert_eq!(strict(&[(0, "0"), (1, ""), (2, "1")]), Some((vec![0], 0)));
    assert_eq!(strict(&[(0, "0"), (1, "0"), (2, "1"), (3, "1")]), Some((vec![1, 2], 1)));
    assert_eq!(strict(&[(0, "01"), (1, "01"), (2, "2")]), Some((vec![0, 1, 2], 0)));
    assert_eq!(strict(&[(0, "01"), (1, "012"), (2, "02"), (3, "1")]), Some((vec![0, 1, 2], 0)));
    // By id where the times are equal.
    assert_eq!(strict(&[(0, "1"), (0, "0")]), Some((vec![0], 1)));
    assert_eq!(strict(&[(0, "0"), (1, "1"), (11, "2")]), Some((vec![0, 1], 0)));
}

#[test]
fn steps_in_any_order_count_from_the_first_event_that_is_one() {
    let rules = rules(3, 10);
    let any = |events: &[(i64, &str)]| walk(StepOrder::Any, &rules, events);
    assert_eq!(any(&[(0, "2"), (1, "1"), (2, "0")]), Some((vec![0, 1, 2], 0)));
    assert_eq!(any(&[(0, "01"), (1, "0"), (2, "1"), (3, "2")]), Some((vec![0, 2, 3], 0)));
    // There is one attempt, also where a later one would get further.
    assert_eq!(any(&[(0, "0"), (20, "0"), (21, "1"), (22, "2")]), Some((vec![0], 0)));
    assert_eq!(any(&[(0, ""), (1, "1"), (2, "1"), (11, "0"), (12, "2")]), Some((vec![1, 11], 1)));
}

#[test]
fn an_excluded_event_ends_what_is_between_its_steps() {
    let with = |exclusions: &[(usize, usize)]| Rules { exclusions: exclusions.to_vec(), ..rules(3, 10) };
    let first = with(&[(0, 1)]);
    assert_eq!(ordered(&first, &[(0, "0"), (1, "3"), (2, "1")]), Some((vec![0], 0)));
    assert_eq!(ordered(&first, &[(0, "0"), (1, "1"), (2, "3"), (3, "2")]), Some((vec![0, 1, 3], 0)));
    // Neither at the instant of the step after which it counts nor at that of the one before which it counts.
    assert_eq!(ordered(&first, &[(0, "0"), (0, "3"), (1, "1")]), Some((vec![0, 1], 0)));
    assert_eq!(ordered(&first, &[(0, "0"), (1, "3"), (1, "1")]), Some((vec![0, 1], 0)));
    // A later attempt begins behind it.
    assert_eq!(ordered(&first, &[(0, "0"), (1, "3"), (2, "0"), (3, "1")]), Some((vec![2, 3], 2)));
    let last = with(&[(1, 2)]);
    assert_eq!(ordered(&last, &[(0, "0"), (1, "3"), (2, "1"), (3, "2")]), Some((vec![0, 2, 3], 0)));
    // It ends the attempt that got to the second step before it, and not the one that has not.
    assert_eq!(ordered(&last, &[(0, "0"), (1, "1"), (2, "0"), (3, "3"), (4, "1"), (5, "2")]), Some((vec![2, 4, 5], 2)));
    let both = with(&[(0, 2)]);
    assert_eq!(ordered(&both, &[(0, "0"), (1, "13"), (2, "2")]), Some((vec![0, 1], 0)));
    assert_eq!(ordered(&both, &[(0, "03"), (1, "1"), (2, "23")]), Some((vec![0, 1, 2], 0)));
    assert_eq!(walk(StepOrder::Strict, &both, &[(0, "0"), (1, "13"), (2, "2")]), Some((vec![0, 1], 0)));
    assert_eq!(walk(StepOrder::Any, &both, &[(0, "1"), (1, "3"), (1, "2"), (2, "0")]), Some((vec![0, 1], 0)));
}

/// What a robot does: far more events than a person, and each attempt moved no more often than there are steps.
#[test]
fn a_million_events_of_one_actor_take_their_time_once() {
    let began = std::time::Instant::now();
    let rules = Rules { starts_before: i64::MAX, ..rules(10, 1_000_000) };
    let mut walk = Walk::new(StepOrder::Ordered);
    for at in 0..1_000_000_i64 {
        // First steps all over, each other step only after many of the one before.
        let marks = if at % 1_000 == 999 { 1 << (1 + at / 1_000 % 9) } else { 1 };
        walk.event(&rules, Seen { at, marks, label: None }).unwrap();
    }
    let attempt = walk.finish(&rules).unwrap();
    assert_eq!(attempt.times, [0, 999, 1_999, 2_999, 3_999, 4_999, 5_999, 6_999, 7_999, 8_999]);
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

#[test]
fn more_attempts_at_once_than_fit_are_too_large() {
    let rules = Rules { starts_before: i64::MAX, ..rules(2, i64::MAX) };
    let mut walk = Walk::new(StepOrder::Ordered);
    let label: Arc<str> = Arc::from("x".repeat(32_000));
    let refused =
        (0..1_000_000).find_map(|at| walk.event(&rules, Seen { at, marks: 1, label: Some(label.clone()) }).err());
    assert_eq!(refused.unwrap().path, "window");
    // Those whose windows have closed weigh nothing.
    let rules = Rules { window: 10, ..rules };
    let mut walk = Walk::new(StepOrder::Ordered);
    for at in 0..20_000 {
        walk.event(&rules, Seen { at, marks: 1, label: Some(label.clone()) }).unwrap();
    }
}
