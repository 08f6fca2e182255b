//! What SQL counts for the metrics of a question, and the figures that are made of it.

use crate::answer::Figure;
use crate::columns::Counted;
use crate::sql::Sql;
use crate::{Aggregate, Cell, Dialect, Metric, Param, Property};

/// Sums, averages and percentiles take numbers beyond this as this: PostgreSQL fails a statement whose sum leaves the doubles, so that
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
    Percentile(u8, Property),
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
        for measure in metrics.iter().flat_map(Metric::parts).flat_map(needed) {
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

    /// Whether nothing but events is counted.
    pub(crate) fn is_events_only(&self) -> bool {
        self.measures.as_slice() == [Measure::Events]
    }

    /// Whether numbers have to be put in order in a statement that has no aggregate for it.
    pub(crate) fn needs_ranks(&self, dialect: Dialect) -> bool {
        dialect == Dialect::Sqlite && self.has_percentiles()
    }

    /// Whether percentiles are asked for: they take as much memory as there are different numbers.
    pub(crate) fn has_percentiles(&self) -> bool {
        self.measures.iter().any(|measure| matches!(measure, Measure::Percentile(..)))
    }

    /// The aggregates as columns are counted for them, in the same order.
    pub(crate) fn counted(&self) -> Vec<Counted> {
        let counted = self.measures.iter().map(|measure| match measure {
            Measure::Events => Counted::Events,
            Measure::Sessions => Counted::Sessions,
            Measure::Users => Counted::Users,
            Measure::Visitors => Counted::Visitors,
            Measure::Sum(property) => Counted::Sum(property.clone()),
            Measure::Numbers(property) => Counted::Numbers(property.clone()),
            Measure::Min(property) => Counted::Min(property.clone()),
            Measure::Max(property) => Counted::Max(property.clone()),
            Measure::Percentile(percent, property) => Counted::Percentile(*percent, property.clone()),
        });
        counted.collect()
    }

    /// The aggregates over `raw_events e` (and `session_users s`).
    pub(crate) fn columns(&self, sql: &mut Sql) -> Vec<String> {
        self.measures
            .iter()
            .map(|measure| {
                let argument = argument(measure, sql);
                match measure {
                    Measure::Percentile(percent, _) => {
                        let fraction = sql.bind(Param::Float(fraction(*percent)));
                        format!("percentile_cont({fraction}) WITHIN GROUP (ORDER BY {argument})")
                    }
                    measure => aggregate(measure, &argument),
                }
            })
            .collect()
    }

    /// What is aggregated, for a statement in steps.
    pub(crate) fn steps(&self, sql: &mut Sql) -> Steps {
        let mut steps = Steps::default();
        let mut ranked: Vec<&Property> = Vec::new();
        for (index, measure) in self.measures.iter().enumerate() {
            if let Measure::Percentile(percent, property) = measure {
                let place = ranked.iter().position(|known| *known == property).unwrap_or_else(|| {
                    let number = ranked.len();
                    steps.arguments.push(format!("{} AS v{number}", argument(measure, sql)));
                    ranked.push(property);
                    number
                });
                let fraction = sql.bind(Param::Float(fraction(*percent)));
                steps.aggregates.push(interpolated(place, &fraction));
            } else {
                let name = format!("m{index}");
                if *measure != Measure::Events {
                    steps.arguments.push(format!("{} AS {name}", argument(measure, sql)));
                }
                steps.aggregates.push(aggregate(measure, &name));
            }
        }
        steps.ranked = ranked.len();
        steps
    }

    /// The figures of a row's cells.
    pub(crate) fn figures(&self, cells: &[Cell]) -> Vec<Figure> {
        self.metrics.iter().map(|metric| self.figure(metric, cells)).collect()
    }

    fn figure(&self, metric: &Metric, cells: &[Cell]) -> Figure {
        let cell = |measure: Measure| {
            let index = self.measures.iter().position(|known| *known == measure);
            index.and_then(|index| cells.get(index)).unwrap_or(&Cell::Null)
        };
        match metric {
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
            Metric::Number(Aggregate::Percentile(percent), property) => {
                or_null(number(cell(Measure::Percentile(*percent, property.clone()))))
            }
            Metric::Formula(formula) => or_null(formula.value(&|part| match self.figure(part, cells) {
                Figure::Count(count) => Some(count as f64),
                Figure::Number(number) => Some(number),
                Figure::Null => None,
            })),
        }
    }
}

/// The parts of a statement that puts numbers in order before it aggregates them.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    /// What is selected of `raw_events e`, with names: `v0`, `v1`, ... are those to be put in order.
    pub(crate) arguments: Vec<String>,
    /// How many are to be put in order.
    pub(crate) ranked: usize,
    /// The aggregates over these names, and over `r0` (the rank of `v0`, from 1) and `n0` (how many numbers there are).
    pub(crate) aggregates: Vec<String>,
}

/// The number at the rank `fraction * (n - 1)`, counted from 0, as `percentile_cont` works it out.
fn interpolated(place: usize, fraction: &str) -> String {
    let rank = format!("({fraction} * (n{place} - 1))");
    let at = |offset: u8| format!("max(CASE WHEN r{place} = CAST({rank} AS INTEGER) + {offset} THEN v{place} END)");
    let (lower, upper) = (at(1), at(2));
    // Behind the last number there is none: the rank is then a whole number.
    format!("{lower} + COALESCE(max({rank} - CAST({rank} AS INTEGER)) * ({upper} - {lower}), 0.0)")
}

fn fraction(percent: u8) -> f64 {
    f64::from(percent) / 100.0
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
        Metric::Number(Aggregate::Percentile(percent), property) => {
            vec![Measure::Percentile(*percent, property.clone())]
        }
        // Their parts are asked for one by one, and none of these is a formula.
        Metric::Formula(_) => Vec::new(),
    }
}

/// What of an event goes into a measure.
fn argument(measure: &Measure, sql: &mut Sql) -> String {
    match measure {
        Measure::Events => "1".to_owned(),
        Measure::Sessions => "e.session_id".to_owned(),
        Measure::Users => "e.user_id".to_owned(),
        Measure::Visitors => sql.person().to_owned(),
        Measure::Sum(property) | Measure::Percentile(_, property) => sql.property_number_within(property, LARGEST),
        Measure::Numbers(property) | Measure::Min(property) | Measure::Max(property) => sql.property_number(property),
    }
}

fn aggregate(measure: &Measure, argument: &str) -> String {
    match measure {
        Measure::Events => "count(*)".to_owned(),
        Measure::Sessions | Measure::Users | Measure::Visitors => format!("count(DISTINCT {argument})"),
        Measure::Sum(_) => format!("sum({argument})"),
        Measure::Numbers(_) => format!("count({argument})"),
        Measure::Min(_) => format!("min({argument})"),
        Measure::Max(_) => format!("max({argument})"),
        // Written where the statement is: PostgreSQL has an aggregate for it, SQLite takes steps.
        Measure::Percentile(..) => argument.to_owned(),
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
