//! From the events to the rows.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use analytics_domain::{Event, Retention, Timestamp};
use serde_json::Value as Json;
use uuid::Uuid;

use super::filter::Filter;
use super::question::{Dimension, Metric, Question};
use super::range::{Bucket, Interval, Range, buckets, clamp, compared, resolve};
use super::value::Field;
use super::{OracleAnswer, OracleError, OracleRow, StoredEvent, World};

/// An event of the project with the person behind it.
pub(super) struct Seen<'e> {
    pub(super) event: &'e Event<'static>,
    pub(super) created_at: Timestamp,
    pub(super) person: String,
}

impl Seen<'_> {
    /// Whether the event passes all filters; what its person has done is looked for among the events `seen`, as far as they lie
    /// in the question's range.
    pub(super) fn passes(&self, filters: &[Filter], seen: &[Seen<'_>], range: Range) -> bool {
        let persons_who = |filters: &[Filter]| -> BTreeSet<String> {
            // A person's deeds are judged by filters on events; there are no deeds within deeds.
            let nobody = |_: &[Filter]| BTreeSet::new();
            let is_in_range = |at: Timestamp| range.from <= at && at < range.to;
            let in_range = seen.iter().filter(|seen| is_in_range(seen.event.timestamp));
            let done = in_range.filter(|seen| filters.iter().all(|f| f.passes(seen.event, &seen.person, &nobody)));
            done.map(|seen| seen.person.clone()).collect()
        };
        filters.iter().all(|filter| filter.passes(self.event, &self.person, &persons_who))
    }
}

/// A row's place: its bucket, if the question has a time dimension, and its tuple of the other dimensions.
type Place = (Option<usize>, Vec<Option<String>>);

/// The figures of a range.
struct Figures {
    buckets: Option<Vec<Bucket>>,
    rows: BTreeMap<Place, Vec<Option<f64>>>,
    fresh_as_of: Option<Timestamp>,
}

/// What `question` has to answer about `events`, which hold everything stored, of every project.
///
/// # Errors
/// [`OracleError`] where the question is not one of the language that the oracle knows.
pub fn answer(events: &[StoredEvent], question: &Json, world: &World) -> Result<OracleAnswer, OracleError> {
    let asked = question;
    let question = Question::parse(question)?;
    let seen = with_persons(events, world);
    let cutoff = Retention { days: world.retention_days }.cutoff(world.now);
    let first_event = seen.iter().map(|seen| seen.event.timestamp).filter(|timestamp| *timestamp >= cutoff).min();
    let whole = resolve(&question.date_range, &question.zone, world, first_event)?;
    let range = clamp(whole, world);
    let figures = figures(&seen, &question, whole, world)?;
    let comparison = match &question.compare {
        Some(compare) => {
            let other = compared(compare, &asked["date_range"], whole, &question.zone, world)?;
            Some(self::figures(&seen, &question, other, world)?)
        }
        None => None,
    };

    let mut rows: Vec<(Place, OracleRow)> = Vec::new();
    for (place, metrics) in &figures.rows {
        let comparison = comparison.as_ref().and_then(|comparison| comparison.rows.get(place).cloned());
        let dimensions = shown(place, &question, figures.buckets.as_deref());
        rows.push((place.clone(), OracleRow { dimensions, metrics: metrics.clone(), comparison }));
    }
    rows.sort_by(|a, b| order(a, b, &question));
    let total_rows = rows.len();
    rows.truncate(question.limit);
    Ok(OracleAnswer {
        rows: rows.into_iter().map(|(_, row)| row).collect(),
        total_rows,
        from: range.from,
        to: range.to,
        fresh_as_of: figures.fresh_as_of,
    })
}

/// Whether one event passes all of `filters`, a list as in a question, without `has_done` and `has_not_done`.
///
/// # Errors
/// [`OracleError`] where `filters` is no list of filters that the oracle knows.
pub fn passes(event: &Event<'_>, filters: &Json) -> Result<bool, OracleError> {
    let nobody = |_: &[Filter]| BTreeSet::new();
    Ok(Filter::parse_all(filters, "filters")?.iter().all(|filter| filter.passes(event, "", &nobody)))
}

/// The project's events, each with its person.
pub(super) fn with_persons<'e>(events: &'e [StoredEvent], world: &World) -> Vec<Seen<'e>> {
    let mut first_users: BTreeMap<&str, (Timestamp, Uuid, &str)> = BTreeMap::new();
    for stored in events.iter().filter(|stored| stored.project == world.project) {
        if let Some(user) = &stored.event.user_id {
            let candidate = (stored.event.timestamp, stored.event.id, user.as_ref());
            let first = first_users.entry(&stored.event.session_id).or_insert(candidate);
            *first = (*first).min(candidate);
        }
    }
    let own = events.iter().filter(|stored| stored.project == world.project);
    own.map(|stored| {
        let user = stored.event.user_id.as_deref();
        let session = stored.event.session_id.as_ref();
        let person = match user.or_else(|| first_users.get(session).map(|(_, _, user)| *user)) {
            Some(user) => format!("user {user}"),
            None => format!("session {session}"),
        };
        Seen { event: &stored.event, created_at: stored.created_at, person }
    })
    .collect()
}

/// The figures of what the retention leaves of a range; places are those in the whole range, so that rows of two ranges
/// pair also where one of them is cut.
fn figures(seen: &[Seen<'_>], question: &Question, whole: Range, world: &World) -> Result<Figures, OracleError> {
    let range = clamp(whole, world);
    let in_range: Vec<&Seen<'_>> =
        seen.iter().filter(|seen| range.from <= seen.event.timestamp && seen.event.timestamp < range.to).collect();
    let found: Vec<&Seen<'_>> =
        in_range.iter().copied().filter(|own| own.passes(&question.filters, seen, range)).collect();

    let fields: Vec<&Field> = question
        .dimensions
        .iter()
        .filter_map(|(_, dimension)| if let Dimension::Field(field) = dimension { Some(field) } else { None })
        .collect();
    let tuple =
        |seen: &Seen<'_>| -> Vec<Option<String>> { fields.iter().map(|field| field.of(seen.event).text()).collect() };
    let mut tuples: BTreeSet<Vec<Option<String>>> = found.iter().map(|seen| tuple(seen)).collect();
    if fields.is_empty() {
        // A question without dimensions is about everything, also where that is nothing.
        tuples.insert(Vec::new());
    }

    let (listed, places) = match interval(question) {
        Some(interval) => {
            let newest = found.iter().map(|seen| seen.event.timestamp).max();
            let until = newest.map_or(world.now, |newest| newest.max(world.now));
            let listed = buckets(whole, interval, &question.zone)?;
            let kept = buckets(range, interval, &question.zone)?;
            let is_there = |bucket: &Bucket| kept.contains(bucket) && bucket.start <= until;
            let places = (0..listed.len()).filter(|index| is_there(&listed[*index])).map(Some).collect();
            (Some(listed), places)
        }
        None => (None, vec![None]),
    };
    let mut rows = BTreeMap::new();
    for tuple in tuples {
        for place in &places {
            rows.insert((*place, tuple.clone()), Vec::<&Seen<'_>>::new());
        }
    }
    for seen in &found {
        let place = listed.as_ref().and_then(|listed| {
            listed.iter().filter(|bucket| bucket.start <= seen.event.timestamp).count().checked_sub(1)
        });
        rows.entry((place, tuple(seen))).or_default().push(seen);
    }
    let rows = rows
        .into_iter()
        .map(|(place, seen)| (place, question.metrics.iter().map(|(_, metric)| measure(metric, &seen)).collect()))
        .collect();
    Ok(Figures { buckets: listed, rows, fresh_as_of: found.iter().map(|seen| seen.created_at).max() })
}

fn interval(question: &Question) -> Option<Interval> {
    question.dimensions.iter().find_map(|(_, dimension)| match dimension {
        Dimension::Time(interval) => Some(*interval),
        Dimension::Field(_) => None,
    })
}

#[allow(clippy::cast_precision_loss, reason = "counts in tests are far below 2^53")]
fn measure(metric: &Metric, seen: &[&Seen<'_>]) -> Option<f64> {
    let events = seen.len() as f64;
    let sessions = seen.iter().map(|seen| &seen.event.session_id).collect::<BTreeSet<_>>().len() as f64;
    let numbers =
        |field: &Field| -> Vec<f64> { seen.iter().filter_map(|seen| field.of(seen.event).number()).collect() };
    match metric {
        Metric::Events => Some(events),
        Metric::Sessions => Some(sessions),
        Metric::Users => {
            Some(seen.iter().filter_map(|seen| seen.event.user_id.as_ref()).collect::<BTreeSet<_>>().len() as f64)
        }
        Metric::Visitors => Some(seen.iter().map(|seen| &seen.person).collect::<BTreeSet<_>>().len() as f64),
        Metric::EventsPerSession => (sessions > 0.0).then(|| events / sessions),
        Metric::Sum(field) => Some(numbers(field).iter().sum::<f64>() + 0.0),
        Metric::Avg(field) => {
            let numbers = numbers(field);
            (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
        }
        Metric::Min(field) => numbers(field).into_iter().reduce(f64::min),
        Metric::Max(field) => numbers(field).into_iter().reduce(f64::max),
        Metric::Percentile(percent, field) => percentile(*percent, numbers(field)),
        Metric::Formula(formula) => formula.value(&|metric| measure(metric, seen)),
    }
}

/// Of n numbers in rising order the one at rank percent / 100 * (n - 1), counted from 0; between two ranks as far on the way
/// from the one to the other as the rank is. Numbers beyond 1e290 count as that.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank is small and not negative")]
#[allow(clippy::cast_precision_loss, reason = "counts in tests are far below 2^53")]
fn percentile(percent: u32, mut numbers: Vec<f64>) -> Option<f64> {
    numbers.iter_mut().for_each(|number| *number = number.clamp(-1e290, 1e290));
    numbers.sort_by(f64::total_cmp);
    let rank = f64::from(percent) / 100.0 * (numbers.len().checked_sub(1)? as f64);
    let lower = numbers[rank.floor() as usize];
    let upper = numbers[rank.ceil() as usize];
    Some(lower + (rank - rank.floor()) * (upper - lower) + 0.0)
}

/// The dimensions of a row in the order asked.
fn shown(place: &Place, question: &Question, buckets: Option<&[Bucket]>) -> Vec<Option<String>> {
    let mut others = place.1.iter();
    question
        .dimensions
        .iter()
        .map(|(_, dimension)| match dimension {
            Dimension::Time(_) => place.0.and_then(|index| buckets?.get(index)).map(|bucket| bucket.name.clone()),
            Dimension::Field(_) => others.next().cloned().flatten(),
        })
        .collect()
}

/// The order asked, else by time, else by the first metric from the top; what that leaves open is decided by the dimensions.
/// What is null comes last in both directions.
fn order(a: &(Place, OracleRow), b: &(Place, OracleRow), question: &Question) -> Ordering {
    let by_metric = |index: usize, descending: bool| match (a.1.metrics[index], b.1.metrics[index]) {
        (Some(a), Some(b)) => turned(a.total_cmp(&b), descending),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    let by_dimension = |index: usize, descending: bool| match &question.dimensions[index].1 {
        Dimension::Time(_) => turned(a.0.0.cmp(&b.0.0), descending),
        Dimension::Field(_) => match (&a.1.dimensions[index], &b.1.dimensions[index]) {
            (Some(a), Some(b)) => turned(a.as_bytes().cmp(b.as_bytes()), descending),
            (a, b) => b.is_some().cmp(&a.is_some()),
        },
    };
    let mut order = Ordering::Equal;
    for (name, descending) in &question.order_by {
        let metric = question.metrics.iter().position(|(metric, _)| metric == name);
        let dimension = question.dimensions.iter().position(|(dimension, _)| dimension == name);
        order = order.then_with(|| match (metric, dimension) {
            (Some(index), _) => by_metric(index, *descending),
            (None, Some(index)) => by_dimension(index, *descending),
            (None, None) => Ordering::Equal,
        });
    }
    if question.order_by.is_empty() {
        order = match interval(question) {
            Some(_) => a.0.0.cmp(&b.0.0),
            None if question.metrics.is_empty() => Ordering::Equal,
            None => by_metric(0, true),
        };
    }
    for index in 0..question.dimensions.len() {
        order = order.then_with(|| by_dimension(index, false));
    }
    order
}

fn turned(order: Ordering, descending: bool) -> Ordering {
    if descending { order.reverse() } else { order }
}
