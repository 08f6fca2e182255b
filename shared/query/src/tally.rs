//! What SQL counts for the metrics of a question, and the figures that are made of it.

use crate::actor::PERSON;
use crate::answer::Figure;
use crate::columns::Counted;
use crate::sql::Sql;
use crate::{Aggregate, Cell, Metric, Property};

/// Sums and averages take numbers beyond this as this: PostgreSQL fails a statement whose sum leaves the doubles, so that
/// one absurd event would spoil every answer for ever.
const LARGEST: &str = "1e290";

/// An aggregate of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Measure {
    Events,
    Sessions,
    Users,
    Visitors,
    Sum(Property),
    Numbers(Property),
    Min(Property),
    Max(Property),
}

/// The aggregates that the metrics of a question need, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    metrics: Vec<Metric>,
    measures: Vec<Measure>,
}

impl Tally {
    pub(crate) fn new(metrics: &[Metric]) -> Self {
        let mut measures: Vec<Measure> = Vec::new();
        for measure in metrics.iter().flat_map(needed) {
            if !measures.contains(&measure) {
                measures.push(measure);
            }
        }
        Self { metrics: metrics.to_vec(), measures }
    }

    /// How many cells a row has for it.
    pub(crate) fn width(&self) -> usize {
        self.measures.len()
    }

    /// Whether the rows of `session_users` have to be looked up.
    pub(crate) fn needs_persons(&self) -> bool {
        self.measures.contains(&Measure::Visitors)
    }

    /// Whether nothing but events is counted.
    pub(crate) fn is_events_only(&self) -> bool {
        self.measures.as_slice() == [Measure::Events]
    }

    /// The aggregates as columns are counted for them, in the same order.
    pub(crate) fn counted(&self) -> Option<Vec<Counted>> {
        let counted = self.measures.iter().map(|measure| {
            Some(match measure {
                Measure::Events => Counted::Events,
                Measure::Sessions => Counted::Sessions,
                Measure::Users => Counted::Users,
                Measure::Visitors => Counted::Visitors,
                Measure::Sum(property) => Counted::Sum(property.clone()),
                Measure::Numbers(property) => Counted::Numbers(property.clone()),
                Measure::Min(property) => Counted::Min(property.clone()),
                Measure::Max(property) => Counted::Max(property.clone()),
            })
        });
        counted.collect()
    }

    /// The aggregates over `raw_events e` (and `session_users s`).
    pub(crate) fn columns(&self, sql: &mut Sql) -> Vec<String> {
        self.measures.iter().map(|measure| column(measure, sql)).collect()
    }

    /// The figures of a row's cells.
    pub(crate) fn figures(&self, cells: &[Cell]) -> Vec<Figure> {
        let cell = |measure: Measure| {
            let index = self.measures.iter().position(|known| *known == measure);
            index.and_then(|index| cells.get(index)).unwrap_or(&Cell::Null)
        };
        self.metrics
            .iter()
            .map(|metric| match metric {
                Metric::Events => Figure::Count(count(cell(Measure::Events))),
                Metric::Sessions => Figure::Count(count(cell(Measure::Sessions))),
                Metric::Users => Figure::Count(count(cell(Measure::Users))),
                Metric::Visitors => Figure::Count(count(cell(Measure::Visitors))),
                Metric::EventsPerSession => ratio(count(cell(Measure::Events)) as f64, count(cell(Measure::Sessions))),
                Metric::Number(Aggregate::Sum, property) => {
                    Figure::Number(number(cell(Measure::Sum(property.clone()))).unwrap_or(0.0))
                }
                Metric::Number(Aggregate::Avg, property) => ratio(
                    number(cell(Measure::Sum(property.clone()))).unwrap_or(0.0),
                    count(cell(Measure::Numbers(property.clone()))),
                ),
                Metric::Number(Aggregate::Min, property) => or_null(number(cell(Measure::Min(property.clone())))),
                Metric::Number(Aggregate::Max, property) => or_null(number(cell(Measure::Max(property.clone())))),
            })
            .collect()
    }
}

fn needed(metric: &Metric) -> Vec<Measure> {
    match metric {
        Metric::Events => vec![Measure::Events],
        Metric::Sessions => vec![Measure::Sessions],
        Metric::Users => vec![Measure::Users],
        Metric::Visitors => vec![Measure::Visitors],
        Metric::EventsPerSession => vec![Measure::Events, Measure::Sessions],
        Metric::Number(Aggregate::Sum, property) => vec![Measure::Sum(property.clone())],
        // The mean is made here: PostgreSQL's own also squares the numbers, which leaves the doubles from 1e154 on.
        Metric::Number(Aggregate::Avg, property) => {
            vec![Measure::Sum(property.clone()), Measure::Numbers(property.clone())]
        }
        Metric::Number(Aggregate::Min, property) => vec![Measure::Min(property.clone())],
        Metric::Number(Aggregate::Max, property) => vec![Measure::Max(property.clone())],
    }
}

fn column(measure: &Measure, sql: &mut Sql) -> String {
    match measure {
        Measure::Events => "count(*)".to_owned(),
        Measure::Sessions => "count(DISTINCT e.session_id)".to_owned(),
        Measure::Users => "count(DISTINCT e.user_id)".to_owned(),
        Measure::Visitors => format!("count(DISTINCT {PERSON})"),
        Measure::Sum(property) => format!("sum({})", sql.property_number_within(property, LARGEST)),
        Measure::Numbers(property) => format!("count({})", sql.property_number(property)),
        Measure::Min(property) => format!("min({})", sql.property_number(property)),
        Measure::Max(property) => format!("max({})", sql.property_number(property)),
    }
}

fn count(cell: &Cell) -> i64 {
    match cell {
        Cell::Int(count) => *count,
        _ => 0,
    }
}

/// A double; minus zero is zero.
fn number(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Float(number) if number.is_finite() => Some(*number + 0.0),
        Cell::Int(number) => Some(*number as f64),
        _ => None,
    }
}

fn or_null(number: Option<f64>) -> Figure {
    number.map_or(Figure::Null, Figure::Number)
}

fn ratio(numerator: f64, denominator: i64) -> Figure {
    if denominator == 0 { Figure::Null } else { Figure::Number(numerator / denominator as f64) }
}
