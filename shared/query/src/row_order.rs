//! The order of an answer's rows.
//!
//! First what `order_by` says. Without it: by time, rising; without a dimension of time by the first metric, falling. What
//! that leaves open is decided by the dimensions in the order asked, rising; texts compare bytewise; null comes last,
//! whatever the direction.

use std::cmp::Ordering;

use crate::answer::Figure;
use crate::{Dimension, OrderColumn, Question};

/// A row as it is ordered and paged.
#[derive(Debug)]
pub(crate) struct Line<'t> {
    /// The bucket's index, where there are buckets.
    pub(crate) bucket: Option<usize>,
    /// The texts of the other dimensions.
    pub(crate) tuple: &'t [Option<String>],
    /// The figures.
    pub(crate) figures: &'t [Figure],
}

/// One step of a comparison.
#[derive(Debug, Clone, Copy)]
enum Key {
    Bucket,
    Text(usize),
    Figure(usize),
}

/// The keys of a question's rows, each with whether it falls.
#[derive(Debug)]
pub(crate) struct RowOrder(Vec<(Key, bool)>);

impl RowOrder {
    pub(crate) fn new(question: &Question) -> Self {
        let mut texts = 0;
        let dimensions: Vec<Key> = question
            .dimensions
            .iter()
            .map(|dimension| match dimension {
                Dimension::Time(_) => Key::Bucket,
                Dimension::Field(_) => {
                    texts += 1;
                    Key::Text(texts - 1)
                }
            })
            .collect();
        let has_time = dimensions.iter().any(|key| matches!(key, Key::Bucket));
        let mut keys = Vec::new();
        for order in &question.order_by {
            let key = match order.column {
                OrderColumn::Metric(index) => Some(Key::Figure(index)),
                OrderColumn::Dimension(index) => dimensions.get(index).copied(),
            };
            keys.extend(key.map(|key| (key, order.descending)));
        }
        if keys.is_empty() {
            keys.push(if has_time { (Key::Bucket, false) } else { (Key::Figure(0), true) });
        }
        keys.extend(dimensions.into_iter().map(|key| (key, false)));
        Self(keys)
    }

    pub(crate) fn compare(&self, a: &Line<'_>, b: &Line<'_>) -> Ordering {
        let mut order = Ordering::Equal;
        for (key, falling) in &self.0 {
            order = match key {
                Key::Bucket => turned(a.bucket.cmp(&b.bucket), *falling),
                Key::Text(index) => {
                    nulls_last(text(a, *index), text(b, *index), *falling, |a, b| a.as_bytes().cmp(b.as_bytes()))
                }
                Key::Figure(index) => nulls_last(figure(a, *index), figure(b, *index), *falling, compare_figures),
            };
            if order != Ordering::Equal {
                break;
            }
        }
        order
    }
}

fn text<'t>(line: &Line<'t>, index: usize) -> Option<&'t str> {
    line.tuple.get(index).and_then(Option::as_deref)
}

fn figure(line: &Line<'_>, index: usize) -> Option<Figure> {
    line.figures.get(index).copied().filter(|figure| *figure != Figure::Null)
}

/// The figures of one metric are of one kind.
fn compare_figures(a: &Figure, b: &Figure) -> Ordering {
    match (a, b) {
        (Figure::Count(a), Figure::Count(b)) => a.cmp(b),
        (Figure::Number(a), Figure::Number(b)) => a.total_cmp(b),
        _ => Ordering::Equal,
    }
}

fn nulls_last<T>(a: Option<T>, b: Option<T>, falling: bool, compare: impl Fn(&T, &T) -> Ordering) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => turned(compare(&a, &b), falling),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

fn turned(order: Ordering, falling: bool) -> Ordering {
    if falling { order.reverse() } else { order }
}
