//! From a question to statements, and from their rows to the answer.

use analytics_domain::{Project, Timestamp};
use jiff::ToSpan as _;
use serde::Serialize;
use serde_json::{Value, json};

use crate::answer::{NormalisedQuery, Warning};
use crate::columns::Threads;
use crate::cursor::{Cursor, Position, Resolved};
use crate::intake::Intake;
use crate::question_intake::QuestionIntake;
use crate::selection::{From, Selection};
use crate::tally::Tally;
use crate::{
    Answer, Buckets, Compare, Context, DateRange, Dialect, Dimension, Filter, Interval, Looking, QueryError, Question,
    Range, Row, Statement, Zone,
};

/// Most rows of an answer over all its pages, filled buckets counted.
pub const ROW_BUDGET: usize = 100_000;

/// A question of some kind.
pub trait Askable {
    /// What the kind is planned to.
    type Plan: Executable;

    /// Checks the question in its context and plans it.
    ///
    /// # Errors
    /// [`QueryError`] where the cursor is another question's, or the answer would be too large.
    fn plan(&self, context: &Context) -> Result<Self::Plan, QueryError>;
}

/// A planned question: statements to run in any order, and the answer made of their rows.
pub trait Executable: Send + Sync {
    /// What the kind is answered with.
    type Answer: Serialize + Send + 'static;

    /// What takes the rows in.
    type Intake: Intake<Answer = Self::Answer> + 'static;

    /// The statements in a store's dialect, one or more.
    fn statements(&self, dialect: Dialect) -> Vec<Statement>;

    /// What looks for the rows first, where that tells how to read fewer of them.
    fn looking(&self) -> Option<Box<dyn Looking<Self>>>
    where
        Self: Sized,
    {
        None
    }

    /// Whether the statements have to be run one after another, on one state of the store.
    fn is_of_one_state(&self) -> bool {
        false
    }

    /// The same to be answered another way, where the intake refused this one as too large. Instead of columns at once, that is
    /// columns in several turns where actors can be told apart, and then raw rows, which come in order and are folded away one
    /// by one; instead of counts of days that do not tell every value, columns. `None` where there is no other way, or this is
    /// it.
    fn fallback(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// What the rows of the statements are handed to as they come; every asking takes its own.
    fn intake(&self) -> Self::Intake;

    /// The answer made of rows that are all there; `rows` holds those of each statement, in the order of
    /// [`Executable::statements`].
    ///
    /// # Errors
    /// [`QueryError`] `query_too_large` where the rows are more than an answer may have.
    fn shape(&self, rows: Vec<Vec<Row>>) -> Result<Self::Answer, QueryError> {
        let mut intake = self.intake();
        for (statement, rows) in rows.into_iter().enumerate() {
            for row in rows {
                intake.push(statement, row)?;
            }
        }
        intake.finish()
    }

    /// The same for two questions that have the same answer at the same moment, project included; long, to be digested.
    fn cache_key(&self) -> String;
}

/// Plans a question of any kind.
///
/// # Errors
/// [`QueryError`] where the question is refused.
pub fn plan<Q: Askable>(question: &Q, context: &Context) -> Result<Q::Plan, QueryError> {
    question.plan(context)
}

/// A planned [`Question`].
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub(crate) question: Question,
    pub(crate) tally: Tally,
    pub(crate) project: Project,
    pub(crate) newest_receipt: Option<Timestamp>,
    pub(crate) asked: String,
    pub(crate) resolved: Resolved,
    pub(crate) offset: u64,
    pub(crate) main: Selection,
    pub(crate) compared: Option<Selection>,
    pub(crate) has_columns: bool,
    pub(crate) query: NormalisedQuery,
    pub(crate) warnings: Vec<Warning>,
}

impl Plan {
    /// The question in its one form, with absolute instants.
    #[must_use]
    pub const fn query(&self) -> &NormalisedQuery {
        &self.query
    }

    /// The range, and the range compared with.
    pub(crate) fn selections(&self) -> impl Iterator<Item = &Selection> {
        std::iter::once(&self.main).chain(&self.compared)
    }
}

impl Askable for Question {
    type Plan = Plan;

    fn plan(&self, context: &Context) -> Result<Plan, QueryError> {
        let asked = asked(self);
        let zone = &self.timezone;
        let (resolved, offset) = match &self.cursor {
            None => (resolve(self.date_range, self.compare, zone, context), 0),
            Some(cursor) => match Cursor::read(cursor, &context.project, &asked)? {
                Cursor { resolved, position: Position::Offset(offset) } => (resolved, offset),
                Cursor { .. } => return Err(QueryError::cursor("the cursor belongs to a list of events")),
            },
        };
        let mut warnings = Vec::new();
        let main = within(resolved.range, zone, resolved.now, context);
        warn_of_cut(resolved.range, "the range", context, &mut warnings);
        let time = self.dimensions.iter().enumerate().find_map(|(index, dimension)| match dimension {
            Dimension::Time(interval) => Some((index, *interval)),
            Dimension::Field(_) => None,
        });
        let tally = Tally::new(&self.metrics);
        // Rows pair by bucket position in the whole ranges, whatever the retention has cut off them.
        let whole = if resolved.compared.is_some() {
            Range { from: resolved.range.from, to: main.to.min(resolved.range.to) }
        } else {
            main
        };
        let selection = Selection::new(self, &tally, main, buckets(time, whole, zone)?, context.has_columns);
        let compared = match resolved.compared {
            None => None,
            Some(other) => {
                warn_of_cut(other, "the range compared with", context, &mut warnings);
                let range = within(other, zone, resolved.now, context);
                let whole = Range { from: other.from, to: range.to.min(other.to) };
                Some(Selection::new(self, &tally, range, buckets(time, whole, zone)?, context.has_columns))
            }
        };
        let shown = |range: Range| [zone.write(range.from), zone.write(range.to)];
        let query = NormalisedQuery {
            metrics: self.metrics.iter().map(ToString::to_string).collect(),
            date_range: shown(kept(resolved.range, context)),
            timezone: zone.name().to_owned(),
            dimensions: self.dimensions.iter().map(ToString::to_string).collect(),
            filters: self.filters.iter().map(Filter::to_json).collect(),
            order_by: self.order_names(),
            compare: resolved.compared.map(|other| shown(kept(other, context))),
            limit: self.limit,
        };
        Ok(Plan {
            question: self.clone(),
            tally,
            project: context.project.clone(),
            newest_receipt: context.newest_receipt,
            asked,
            resolved,
            offset,
            main: selection,
            compared,
            has_columns: context.has_columns,
            query,
            warnings,
        })
    }
}

impl Executable for Plan {
    type Answer = Answer;
    type Intake = QuestionIntake;

    /// Those of the range, and those of the range compared with.
    fn statements(&self, dialect: Dialect) -> Vec<Statement> {
        let statements =
            |selection: &Selection| selection.statements(&self.question, &self.tally, &self.project, dialect);
        self.selections().flat_map(statements).collect()
    }

    fn is_of_one_state(&self) -> bool {
        self.selections()
            .any(|selection| matches!(selection.from, From::Columns(_)) || selection.is_by_values_of_days())
    }

    /// Of columns, where days count some values together. Of raw rows only where percentiles are asked for, since the store puts
    /// numbers in order on disk: what else is too large for columns is so for raw rows, too.
    fn fallback(&self) -> Option<Self> {
        let plan = self.clone();
        if self.selections().any(Selection::is_by_values_of_days) {
            let otherwise =
                |selection: Selection| selection.without_values_of_days(&self.question, &self.tally, self.has_columns);
            return Some(Self { main: otherwise(plan.main), compared: plan.compared.map(otherwise), ..plan });
        }
        let of_columns = self.selections().any(|selection| matches!(selection.from, From::Columns(_)));
        (of_columns && self.tally.has_percentiles()).then(|| Self {
            main: plan.main.without_columns(),
            compared: plan.compared.as_ref().map(Selection::without_columns),
            ..plan
        })
    }

    fn intake(&self) -> QuestionIntake {
        QuestionIntake::new(self, Threads::of_machine())
    }

    fn cache_key(&self) -> String {
        cache_key("query", &self.project, &self.asked, self.question.date_range, &self.resolved, &self.question.cursor)
    }
}

/// The key of an answer.
///
/// `Nh` ends at now: such a question is another one every microsecond, so that its words are the key and its range is not.
pub(crate) fn cache_key(
    kind: &str,
    project: &Project,
    asked: &str,
    date_range: DateRange,
    resolved: &Resolved,
    cursor: &Option<String>,
) -> String {
    let range = match (date_range, cursor) {
        (DateRange::Hours(_), None) => Value::Null,
        _ => {
            let compared = resolved.compared.map(|range| [range.from.as_micros(), range.to.as_micros()]);
            json!([resolved.range.from.as_micros(), resolved.range.to.as_micros(), compared])
        }
    };
    json!([kind, project.as_str(), asked, range, cursor]).to_string()
}

/// The question without its cursor as one text: lists only, so that no map's order can change it.
fn asked(question: &Question) -> String {
    json!([
        "query",
        question.metrics.iter().map(ToString::to_string).collect::<Vec<_>>(),
        question.date_range.to_string(),
        question.timezone.name(),
        question.dimensions.iter().map(ToString::to_string).collect::<Vec<_>>(),
        question.filters.iter().map(Filter::to_json).collect::<Vec<_>>(),
        question.order_names(),
        question.compare.map(|compare| compare.to_string()),
        question.limit,
    ])
    .to_string()
}

/// The ranges of a first page.
pub(crate) fn resolve(date_range: DateRange, compare: Option<Compare>, zone: &Zone, context: &Context) -> Resolved {
    let range = date_range.resolve(zone, context);
    let compared = compare.map(|compare| compare.resolve(date_range, range, zone, context));
    Resolved { now: context.now, range, compared }
}

/// What the retention leaves of a range.
pub(crate) fn kept(range: Range, context: &Context) -> Range {
    let from = range.from.max(context.retention.cutoff(context.now));
    Range { from, to: range.to.max(from) }
}

/// A range up to the end of tomorrow: no event lies further ahead than an hour, and a range of many years to come would have
/// as many buckets.
///
/// One that begins behind it is left an instant: it still touches the week or month that it begins in, which may be this one.
pub(crate) fn until_tomorrow(range: Range, zone: &Zone, now: Timestamp) -> Range {
    let end = zone.start_of_day(zone.clock(now).date().saturating_add(2.days()));
    let end = end.max(range.from.saturating_add_micros(1));
    Range { from: range.from, to: range.to.min(end) }
}

/// What is selected of a range: within the retention, and up to the end of tomorrow.
pub(crate) fn within(range: Range, zone: &Zone, now: Timestamp, context: &Context) -> Range {
    let kept = kept(until_tomorrow(range, zone, now), context);
    Range { from: kept.from, to: kept.to.max(kept.from) }
}

/// Tells the reader where the retention cut off a part of what was asked for.
pub(crate) fn warn_of_cut(range: Range, what: &str, context: &Context, warnings: &mut Vec<Warning>) {
    let cutoff = context.retention.cutoff(context.now);
    if range.from < cutoff && range.from < range.to {
        let message = format!(
            "{what} begins at {}, before the oldest events that are kept; the answer begins at {cutoff}",
            range.from
        );
        warnings.push(Warning { code: "range_cut".to_owned(), message });
    }
}

fn buckets(time: Option<(usize, Interval)>, range: Range, zone: &Zone) -> Result<Option<Buckets>, QueryError> {
    let Some((index, interval)) = time else { return Ok(None) };
    match Buckets::new(interval, range, zone, ROW_BUDGET) {
        Some(buckets) => Ok(Some(buckets)),
        None => Err(QueryError::too_large(
            &format!("dimensions[{index}]"),
            format!("the range has more than {ROW_BUDGET} buckets; narrow date_range or ask for a longer interval"),
        )),
    }
}
