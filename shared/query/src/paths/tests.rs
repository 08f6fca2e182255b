//! Trails and counts worked out by hand.

use std::sync::Arc;

use super::tally::Tally;
use super::trail::{Ends, Trail};

/// Events as names, with `<` where a path may begin and `>` where it may end; the path with `-` between its steps.
fn path(has_from: bool, has_to: bool, depth: usize, events: &str) -> String {
    let ends = Ends { has_from, has_to, depth };
    let mut trail = Trail::default();
    let mut walked = || {
        for event in events.split(' ').filter(|event| !event.is_empty()) {
            let name = event.trim_start_matches('<').trim_end_matches('>');
            let name = (name != "_").then(|| Arc::from(name));
            trail.event(ends, event.starts_with('<'), event.ends_with('>'), name.as_ref());
        }
        trail.finish(ends)
    };
    let path = walked();
    assert_eq!(walked(), path, "the next actor's path begins anew");
    path.iter().map(|name| name.as_deref().unwrap_or("_")).collect::<Vec<_>>().join("-")
}

#[test]
fn a_path_goes_from_its_first_event_to_its_last() {
    assert_eq!(path(false, false, 5, ""), "");
    assert_eq!(path(false, false, 5, "a b a"), "a-b-a");
    assert_eq!(path(true, false, 5, "a b <c d <c e"), "c-d-c-e");
    assert_eq!(path(true, false, 5, "a b"), "");
    assert_eq!(path(false, true, 5, "a b c> d c> e"), "a-b-c");
    assert_eq!(path(false, true, 5, "a b"), "");
    // What ends a path has to come with or after what begins it.
    assert_eq!(path(true, true, 5, "a> <b c d> e"), "b-c-d");
    assert_eq!(path(true, true, 5, "a> <b c"), "");
    assert_eq!(path(true, true, 5, "a <b> c>"), "b");
    assert_eq!(path(true, true, 2, "<a b c d>"), "a-b");
}

#[test]
fn equal_names_in_a_row_are_one_step() {
    assert_eq!(path(false, false, 5, "a a b b a _ _ a"), "a-b-a-_-a");
    assert_eq!(path(true, false, 5, "a <a a b"), "a-b");
    assert_eq!(path(false, true, 5, "a b b> b c"), "a-b");
    assert_eq!(path(false, false, 2, "a a a b b c"), "a-b");
    assert_eq!(path(false, false, 1, "a b"), "a");
}

/// Nodes and links as `step name count` and `step from to count`.
fn figures(paths: &[(&str, usize)], limit: usize) -> (String, String) {
    let mut tally = Tally::default();
    for (path, count) in paths {
        let path: Vec<Option<Arc<str>>> = path.split('-').map(|name| (name != "_").then(|| Arc::from(name))).collect();
        (0..*count).for_each(|_| tally.take(&path).unwrap());
    }
    let (nodes, links) = tally.finish(limit);
    let name = |name: &Option<String>| name.clone().unwrap_or("_".to_owned());
    let nodes: Vec<String> =
        nodes.iter().map(|node| format!("{} {} {}", node.step, name(&node.name), node.count)).collect();
    let links: Vec<String> = links
        .iter()
        .map(|link| format!("{} {} {} {}", link.step, name(&link.from), name(&link.to), link.count))
        .collect();
    (nodes.join(", "), links.join(", "))
}

#[test]
fn beyond_the_limit_names_of_a_step_are_other() {
    let paths = [("a-b", 3), ("a-_", 2), ("c-b", 3), ("d", 1), ("_-b", 1), ("e-f", 1)];
    let (nodes, links) = figures(&paths, 10);
    assert_eq!(nodes, "0 a 5, 0 c 3, 0 d 1, 0 e 1, 0 _ 1, 1 b 7, 1 _ 2, 1 f 1");
    assert_eq!(links, "0 a b 3, 0 c b 3, 0 a _ 2, 0 e f 1, 0 _ b 1");
    let (nodes, links) = figures(&paths, 1);
    assert_eq!(nodes, "0 a 5, 0 other 6, 1 b 7, 1 other 3");
    assert_eq!(links, "0 other b 4, 0 a b 3, 0 a other 2, 0 other other 1");
}

#[test]
fn a_name_that_is_other_is_one_with_the_rest() {
    let paths = [("other-a", 5), ("b-other", 3), ("c-b", 1)];
    assert_eq!(figures(&paths, 3).0, "0 other 5, 0 b 3, 0 c 1, 1 a 5, 1 other 3, 1 b 1");
    let (nodes, links) = figures(&paths, 2);
    assert_eq!(nodes, "0 b 3, 0 other 6, 1 a 5, 1 other 4");
    assert_eq!(links, "0 other a 5, 0 b other 3, 0 other other 1");
}

#[test]
fn more_names_than_fit_are_too_large() {
    let mut tally = Tally::default();
    let refused = (0..200_000).find_map(|number| tally.take(&[Some(Arc::from(number.to_string()))]).err());
    assert_eq!(refused.unwrap().path, "name");
}
