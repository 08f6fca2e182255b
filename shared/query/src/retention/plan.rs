//! From a retention's question to its statement, and from the rows, as they come, to the cohorts.

use super::answer::{Cohort, EventQuery, RetentionAnswer, RetentionCell, RetentionQuery};
use super::fold::Fold;
use super::units::Units;
use super::{FirstStart, RetentionQuestion, Stay};
use crate::columns::{self, Staying, Threads, Turn, TurnReader, Turns, UnitStay};
use crate::event_record::instant;
use crate::filter::{Columns, Filtered as _};
use crate::ground::Ground;
use crate::plan::until_tomorrow;
use crate::scan::ActorKey;
use crate::sql::Sql;
use crate::{Askable, Cell, Context, Dialect, Executable, Filter, Intake, QueryError, Range, Row, Source, Statement};

/// A planned [`RetentionQuestion`].
#[derive(Debug, Clone, PartialEq)]
pub struct RetentionPlan {
    question: RetentionQuestion,
    /// Start events count in its range.
    ground: Ground,
    asked: String,
    /// What is read: with `ever` from the first event that is kept, and up to the end of the last cell.
    scanned: Range,
    units: Units,
    query: RetentionQuery,
}

impl Askable for RetentionQuestion {
    type Plan = RetentionPlan;

    fn plan(&self, context: &Context) -> Result<RetentionPlan, QueryError> {
        let zone = &self.timezone;
        let ground = Ground::new(self.date_range, zone, context);
        let range = ground.range;
        let units = Units::new(self.unit, range, self.periods, zone)?;
        let from = match self.first {
            FirstStart::InRange => range.from,
            FirstStart::Ever => context.retention.cutoff(context.now).min(range.from),
        };
        let scanned = until_tomorrow(Range { from, to: units.end().max(from) }, zone, ground.now());
        let filters = |filters: &[Filter]| EventQuery { filters: filters.iter().map(Filter::to_json).collect() };
        let query = RetentionQuery {
            start: filters(&self.start),
            returned: filters(&self.returned),
            unit: self.unit.name().to_owned(),
            periods: self.periods,
            mode: self.mode.name().to_owned(),
            first: self.first.name().to_owned(),
            by: self.by.name().to_owned(),
            date_range: ground.shown.clone(),
            timezone: zone.name().to_owned(),
        };
        Ok(RetentionPlan { question: self.clone(), ground, asked: self.to_json().to_string(), scanned, units, query })
    }
}

impl RetentionPlan {
    /// What is gathered from columns and in how many turns, where they tell all that is asked.
    fn staying(&self) -> Option<(Staying, Turns)> {
        let question = &self.question;
        let tell = columns::can_be_judged(question.start.iter().chain(&question.returned));
        self.ground.turns.filter(|_| tell).map(|turns| {
            let (border, units) = (self.ground.range.from, self.units.buckets());
            let staying = Staying::new(question.by, self.scanned, border, units, &question.start, &question.returned);
            (staying, turns)
        })
    }

    /// One row for each actor and unit with an event of the question: the actor, the unit's index (-1 before the range), the
    /// instants of its first start and its last return in it, how many such events; by actor, then unit.
    fn of_raw_rows(&self, dialect: Dialect) -> Statement {
        let mut sql = Sql::new(dialect, &self.ground.project, self.ground.range);
        let unit = if self.units.buckets().starts().is_empty() {
            "-1".to_owned()
        } else {
            let border = sql.instant(self.ground.range.from);
            format!(
                "CASE WHEN e.timestamp < {border} THEN -1 ELSE {} END",
                sql.bucket(self.units.buckets(), "e.timestamp")
            )
        };
        let starts = passes(&mut sql, &self.question.start);
        let returns = passes(&mut sql, &self.question.returned);
        let mut conditions = sql.in_part(self.scanned);
        if let (Some(starts), Some(returns)) = (&starts, &returns) {
            conditions.push(if starts == returns { starts.clone() } else { format!("({starts} OR {returns})") });
        }
        let instant_where = |holds: Option<String>| match holds {
            Some(holds) => format!("CASE WHEN {holds} THEN e.timestamp END"),
            None => "e.timestamp".to_owned(),
        };
        let actor = self.question.by.key(&mut sql);
        let text = format!(
            "SELECT {actor}, {unit}, min({}), max({}), count(*)\nFROM {}\nWHERE {}\nGROUP BY 1, 2\nORDER BY 1, 2",
            instant_where(starts),
            instant_where(returns),
            sql.events(),
            conditions.join("\n  AND "),
        );
        sql.finish(text)
    }
}

impl Executable for RetentionPlan {
    type Answer = RetentionAnswer;
    type Intake = RetentionIntake;

    fn statements(&self, dialect: Dialect) -> Vec<Statement> {
        match self.staying() {
            None => vec![self.of_raw_rows(dialect)],
            Some((staying, turns)) => {
                turns.statements(&columns::statements(&self.ground.project, self.scanned, &staying, dialect))
            }
        }
    }

    fn is_of_one_state(&self) -> bool {
        self.staying().is_some()
    }

    fn fallback(&self) -> Option<Self> {
        self.is_of_one_state().then(|| Self { ground: self.ground.fallback(), ..self.clone() })
    }

    fn intake(&self) -> RetentionIntake {
        RetentionIntake::new(self, Threads::of_machine())
    }

    fn cache_key(&self) -> String {
        self.ground.cache_key("retention", &self.asked)
    }
}

/// Whether an event passes all filters; `None` where there are none.
fn passes(sql: &mut Sql, filters: &[Filter]) -> Option<String> {
    let all: Vec<String> = filters.iter().map(|filter| sql.filter(filter, Columns::Raw)).collect();
    (!all.is_empty()).then(|| format!("({})", all.join(" AND ")))
}

/// Folds the rows of a [`RetentionPlan`] as they come.
#[derive(Debug)]
pub struct RetentionIntake {
    plan: RetentionPlan,
    /// Takes the rows where they are those of columns.
    reader: Option<Box<TurnReader<Staying>>>,
    counted: Counted,
}

/// The cohorts of actors, each of whose stays come together and in order.
#[derive(Debug)]
struct Counted {
    fold: Fold,
    /// Whose stays were taken last.
    actor: Option<ActorKey>,
    events_read: u64,
}

impl Counted {
    fn new(plan: &RetentionPlan) -> Self {
        let units = &plan.units;
        let fold = Fold::new(plan.question.mode, units.cohorts(), units.periods(), plan.ground.range.to);
        Self { fold, actor: None, events_read: 0 }
    }

    fn take(&mut self, actor: ActorKey, stay: &Stay) {
        if self.actor.as_ref() != Some(&actor) {
            self.fold.next_actor();
            self.actor = Some(actor);
        }
        self.fold.take(stay);
    }

    /// Takes in what was gathered in a turn.
    fn take_turn(&mut self, plan: &RetentionPlan, (staying, hired): Turn<Staying>) -> Result<(), QueryError> {
        self.events_read += staying.events();
        let take = |counted: &mut Self, UnitStay { actor, unit, first_start, last_return }: UnitStay| {
            counted.take(actor.into(), &Stay { unit, first_start, last_return });
        };
        staying.fold(&hired, || Self::new(plan), take)?.into_iter().for_each(|other| self.join(other));
        Ok(())
    }

    /// Takes in what was counted elsewhere, of other actors.
    fn join(&mut self, mut other: Self) {
        other.fold.next_actor();
        self.fold.join(&other.fold);
    }
}

impl RetentionIntake {
    pub(crate) fn new(plan: &RetentionPlan, threads: Threads) -> Self {
        let reader = plan.staying().map(|(staying, turns)| Box::new(TurnReader::new(&staying, turns, threads)));
        Self { plan: plan.clone(), reader, counted: Counted::new(plan) }
    }
}

impl Intake for RetentionIntake {
    type Answer = RetentionAnswer;

    fn push(&mut self, statement: usize, row: Row) -> Result<(), QueryError> {
        if let Some(reader) = &mut self.reader {
            return match reader.push(statement, row)? {
                Some(turn) => self.counted.take_turn(&self.plan, turn),
                None => Ok(()),
            };
        }
        let Ok([Cell::Text(actor), Cell::Int(unit), first_start, last_return, Cell::Int(events)]) =
            <[Cell; 5]>::try_from(row)
        else {
            return Ok(());
        };
        let stay = Stay {
            unit: usize::try_from(unit).ok(),
            first_start: instant(&first_start),
            last_return: instant(&last_return),
        };
        self.counted.events_read += u64::try_from(events).unwrap_or(0);
        self.counted.take(ActorKey::Text(actor), &stay);
        Ok(())
    }

    fn finish(mut self) -> Result<RetentionAnswer, QueryError> {
        let mut source = Source::Raw;
        let mut counted = self.counted;
        counted.fold.next_actor();
        if let Some(reader) = self.reader.take() {
            let (turn, raw) = reader.finish()?;
            source = if raw > 0 { Source::Mixed } else { Source::Rollup };
            counted.take_turn(&self.plan, turn)?;
        }
        let (plan, now) = (&self.plan, self.plan.ground.now());
        let mut cohorts: Vec<Cohort> = Vec::with_capacity(plan.units.cohorts());
        let mut until = plan.units.index_of(now).map_or(0, |current| current + 1);
        for (index, (size, counts)) in counted.fold.cohorts().enumerate() {
            let Some(start) = plan.units.start_of(index) else { continue };
            if size > 0 {
                until = until.max(index + 1);
            }
            let cell = |(after, count): (usize, &u64)| RetentionCell {
                count: *count,
                out_of: size,
                incomplete: plan.units.is_open(index + after, now),
            };
            cohorts.push(Cohort {
                start: plan.question.timezone.clock(start).date().to_string(),
                size,
                cells: counts.iter().enumerate().map(cell).collect(),
            });
        }
        // A unit ahead of now is only there where somebody started in it.
        cohorts.truncate(until);
        let meta = plan.ground.meta(source, counted.events_read);
        Ok(RetentionAnswer { cohorts, meta, query: plan.query.clone() })
    }
}
