//! Formulas: a figure that is worked out from other figures of the same row.
//!
//! ```text
//! formula = term   { ("+" | "-") term }
//! term    = factor { ("*" | "/") factor }
//! factor  = number | metric | "(" formula ")"
//! number  = digits [ "." digits ]
//! ```
//!
//! White space may stand between any two of these. A metric in a formula is any other one; of its path, an unquoted key ends at
//! white space and at `+ * / ( )`. A minus belongs to the key (`avg:metadata.load-time`), so that it takes a space before it to
//! subtract from such a metric. A key that holds one of these is quoted: `sum:metadata."price (net)"`.
//!
//! Everything is reckoned in doubles. A division by 0 is null, a null in any place makes the whole null, and so does a result
//! that leaves the doubles.

mod parsing;

use std::fmt;

use crate::Metric;

pub(crate) use parsing::parse;
pub use parsing::{DEPTH_MAX, FORMULA_MAX, OPERANDS_MAX};

/// What is worked out from metrics, at least one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Formula(Term);

/// A part of a formula.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Term {
    Number(Constant),
    /// A metric that is no formula.
    Metric(Box<Metric>),
    Operation(Operator, Box<Term>, Box<Term>),
}

/// A number that stands in a formula, finite and not below 0; as bits, so that two formulas can be told to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Constant(u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operator {
    Plus,
    Minus,
    Times,
    Over,
}

impl Formula {
    /// The metrics that stand in it, in their order; one that comes twice is there twice.
    #[must_use]
    pub fn metrics(&self) -> Vec<&Metric> {
        let mut found = Vec::new();
        self.0.collect(&mut found);
        found
    }

    /// What it comes to where `figure` tells what its metrics come to; `None` is null.
    pub fn value(&self, figure: &impl Fn(&Metric) -> Option<f64>) -> Option<f64> {
        // Minus zero is zero.
        self.0.value(figure).map(|value| value + 0.0)
    }
}

impl Term {
    fn collect<'f>(&'f self, found: &mut Vec<&'f Metric>) {
        match self {
            Self::Number(_) => {}
            Self::Metric(metric) => found.push(metric),
            Self::Operation(_, left, right) => {
                left.collect(found);
                right.collect(found);
            }
        }
    }

    fn value(&self, figure: &impl Fn(&Metric) -> Option<f64>) -> Option<f64> {
        let value = match self {
            Self::Number(number) => number.value(),
            Self::Metric(metric) => figure(metric)?,
            Self::Operation(operator, left, right) => {
                let (left, right) = (left.value(figure)?, right.value(figure)?);
                match operator {
                    Operator::Plus => left + right,
                    Operator::Minus => left - right,
                    Operator::Times => left * right,
                    Operator::Over if right == 0.0 => return None,
                    Operator::Over => left / right,
                }
            }
        };
        value.is_finite().then_some(value)
    }

    /// How tightly it holds together: what stands in an operation that binds more tightly needs parentheses.
    const fn strength(&self) -> u8 {
        match self {
            Self::Operation(Operator::Plus | Operator::Minus, ..) => 0,
            Self::Operation(Operator::Times | Operator::Over, ..) => 1,
            Self::Number(_) | Self::Metric(_) => 2,
        }
    }
}

impl Constant {
    fn new(number: f64) -> Self {
        Self(number.to_bits())
    }

    const fn value(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// Prints the formula in its one form: a space on either side of an operator, and only those parentheses without which it would
/// be another one. `a + (b + c)` keeps them: doubles add up in the order in which they are written.
impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operator, left, right) = match self {
            Self::Number(number) => return number.value().fmt(f),
            Self::Metric(metric) => return metric.fmt(f),
            Self::Operation(operator, left, right) => (operator, left, right),
        };
        let enclosed = |f: &mut fmt::Formatter<'_>, term: &Self, enclose: bool| {
            if enclose { write!(f, "({term})") } else { term.fmt(f) }
        };
        enclosed(f, left, left.strength() < self.strength())?;
        let sign = match operator {
            Operator::Plus => '+',
            Operator::Minus => '-',
            Operator::Times => '*',
            Operator::Over => '/',
        };
        write!(f, " {sign} ")?;
        enclosed(f, right, right.strength() <= self.strength())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formula(text: &str) -> Formula {
        match Metric::parse(text, "metrics[0]").unwrap_or_else(|error| panic!("{error}")) {
            Metric::Formula(formula) => formula,
            other => panic!("{text} is no formula: {other}"),
        }
    }

    /// Events 6, users 4, sessions 2; everything else is null.
    fn worth(text: &str) -> Option<f64> {
        formula(text).value(&|metric| match metric {
            Metric::Events => Some(6.0),
            Metric::Users => Some(4.0),
            Metric::Sessions => Some(2.0),
            _ => None,
        })
    }

    #[test]
    fn reckons_as_in_school() {
        let table = [
            ("events + users * sessions", Some(14.0)),
            ("(events + users) * sessions", Some(20.0)),
            ("events - users - sessions", Some(0.0)),
            ("events - (users - sessions)", Some(4.0)),
            ("events / users / sessions", Some(0.75)),
            ("events / (users / sessions)", Some(3.0)),
            ("events-users", Some(2.0)),
            ("(events-users)/sessions", Some(1.0)),
            ("100 * users / events", Some(400.0 / 6.0)),
            ("events * 0.5", Some(3.0)),
            // Nothing can be divided by 0, and what is null stays null.
            ("events / (users - 4)", None),
            ("0 * (events / (users - 4))", None),
            ("0 * visitors", None),
            ("avg:metadata.x + 1", None),
            // Minus zero is zero; what leaves the doubles is null.
            ("0 * (users - events)", Some(0.0)),
        ];
        for (text, value) in table {
            assert_eq!(worth(text), value, "{text}");
        }
        assert!(worth("0 * (users - events)").is_some_and(f64::is_sign_positive));
        let huge = format!("{0} * {0} * events", "9".repeat(290));
        assert_eq!(worth(&huge), None);
    }

    #[test]
    fn has_one_form() {
        let table = [
            ("events/sessions", "events / sessions"),
            ("((events)) + (users)", "events + users"),
            ("(events + users) + sessions", "events + users + sessions"),
            ("events + (users + sessions)", "events + (users + sessions)"),
            ("events + (users - sessions)", "events + (users - sessions)"),
            ("events + (users * sessions)", "events + users * sessions"),
            ("(events * users) / sessions", "events * users / sessions"),
            ("events * (users / sessions)", "events * (users / sessions)"),
            ("(events - users) / sessions", "(events - users) / sessions"),
            ("events * 1.50", "events * 1.5"),
            ("events * 007", "events * 7"),
            ("sum:metadata.price/events", "sum:metadata.price / events"),
            ("avg:metadata.load-time -  p95:metadata.\"a b\"", "avg:metadata.load-time - p95:metadata.\"a b\""),
            ("max:metadata.\"x\"*2", "max:metadata.x * 2"),
            ("sum:metadata.\"a+b\" + 1", "sum:metadata.\"a+b\" + 1"),
        ];
        for (text, form) in table {
            let read = formula(text);
            assert_eq!(read.to_string(), form, "{text}");
            assert_eq!(formula(form), read, "{text}");
        }
    }
}
