//! Figures at random: metrics and dimensions, followed over their pages, and exports of the events that were counted.

use std::fmt;

use analytics_domain::Timestamp;
use analytics_query::{
    EventRecord, Executable as _, ExportPlan, ExportQuestion, Figure, Place, Question, ResultRow, Statement, plan,
};
use analytics_store::Reading;
use analytics_testkit::oracle::{self, Extent, OracleRow, StoredEvent, World};
use async_trait::async_trait;
use rand::rngs::StdRng;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::asking::Bench;
use super::kinds::Kind;
use super::{Case, shrinking};

/// What the compiler takes of the language.
const EXTENT: Extent = Extent { compare: true, deeds: true };

/// Pages followed of one answer.
const PAGES: usize = 6;

/// Figures.
pub(crate) struct Figures;

/// The first page's rows, all rows over the pages followed, and how many there are said to be.
#[derive(Debug, PartialEq)]
pub(crate) struct Rows {
    first: Vec<OracleRow>,
    followed: Vec<OracleRow>,
    total_rows: u64,
}

impl Rows {
    /// All rows of an answer, on one page.
    pub(crate) fn of(rows: Vec<OracleRow>) -> Self {
        Self { total_rows: rows.len() as u64, first: rows.clone(), followed: rows }
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.followed)
    }
}

#[async_trait]
impl Kind for Figures {
    type Answer = Rows;

    const NAME: &str = "figures";
    const MEMBERS: &[&str] = &[];

    fn random(rng: &mut StdRng, world: &World, around: &[Timestamp], _: &[StoredEvent]) -> Json {
        oracle::random_question(rng, world, around, EXTENT)
    }

    fn expected(case: &Case) -> Option<Rows> {
        let mut question = case.question.clone();
        let limit = usize::try_from(question["limit"].as_u64().unwrap_or(100)).ok()?;
        question["limit"] = u64::MAX.into();
        let answer = oracle::answer(&case.events, &question, &case.world).ok()?;
        let cut = |rows: usize| answer.rows[..rows.min(answer.rows.len())].to_vec();
        Some(Rows {
            first: cut(limit),
            followed: cut(limit.saturating_mul(PAGES)),
            total_rows: answer.total_rows as u64,
        })
    }

    async fn got(bench: &Bench, world: &World, question: &Json) -> Result<Rows, String> {
        let context = bench.context(world).await?;
        let mut question = question.clone();
        let mut pages: Vec<Vec<OracleRow>> = Vec::new();
        loop {
            let read = Question::from_json(&question).map_err(|error| format!("read: {error:?}"))?;
            let planned = plan(&read, &context).map_err(|error| format!("plan: {error:?}"))?;
            let statements = || planned.statements(bench.store.dialect());
            let answer = bench.run(&planned).await.map_err(|error| format!("{error:?}\n{:?}", statements()))?;
            pages.push(answer.results.iter().map(as_oracle_row).collect());
            match answer.meta.next_cursor {
                Some(cursor) if pages.len() < PAGES => question["cursor"] = cursor.into(),
                _ => {
                    let first = pages[0].clone();
                    return Ok(Rows { first, followed: pages.concat(), total_rows: answer.meta.total_rows });
                }
            }
        }
    }

    fn is_telling(answer: &Rows) -> bool {
        let tells = |figure: &Option<f64>| figure.is_some_and(|figure| figure != 0.0);
        answer.followed.iter().any(|row| row.metrics.iter().any(tells))
    }

    /// Of figures the last digits may differ.
    fn difference(expected: &Rows, got: &Rows) -> Option<String> {
        let in_words = |what: &str, rows: &[OracleRow]| {
            let shown: Vec<_> = rows.iter().take(12).map(|row| format!("  {row:?}")).collect();
            format!("{what} ({} rows):\n{}", rows.len(), shown.join("\n"))
        };
        for (name, expected, got) in
            [("the first page", &expected.first, &got.first), ("all pages", &expected.followed, &got.followed)]
        {
            if expected.len() == got.len() && expected.iter().zip(got).all(|(expected, got)| same_row(expected, got)) {
                continue;
            }
            let at = expected.iter().zip(got).take_while(|(expected, got)| same_row(expected, got)).count();
            let from = at.saturating_sub(1);
            return Some(format!(
                "{name} differs in row {at}, shown from row {from}\n{}\n{}",
                in_words("oracle", expected.get(from..).unwrap_or_default()),
                in_words("store", got.get(from..).unwrap_or_default())
            ));
        }
        (expected.total_rows != got.total_rows)
            .then(|| format!("total_rows: oracle {}, store {}", expected.total_rows, got.total_rows))
    }

    async fn agrees_further(bench: &Bench, case: &Case) {
        export_agrees(bench, case).await;
    }

    fn candidates(case: &Case) -> Vec<Case> {
        shrinking::smaller_figures(case)
    }
}

/// Exports the events that a question counts, in parts, and fails where they are not as many as the oracle counts, come
/// twice, or come in another order than theirs.
async fn export_agrees(bench: &Bench, case: &Case) {
    let mut counting = json!({"metrics": ["events"]});
    let mut asked = json!({"limit": 13});
    for member in ["date_range", "timezone", "filters"] {
        if let Some(value) = case.question.get(member) {
            counting[member] = value.clone();
            asked[member] = value.clone();
        }
    }
    let counted = oracle::answer(&case.events, &counting, &case.world).unwrap();
    let context = bench.context(&case.world).await.unwrap();
    let mut places: Vec<Place> = Vec::new();
    loop {
        let plan = ExportQuestion::from_json(&asked).unwrap().plan(&context).unwrap();
        let select = async |statement: Statement| bench.store.select(Reading::Primary, &statement).await.unwrap();
        let until = ExportPlan::end(select(plan.look_ahead(bench.store.dialect()).unwrap()).await);
        let events = ExportPlan::events(select(plan.page(plan.after(), until, bench.store.dialect())).await);
        let of_the_case = |id: Uuid| case.events.iter().any(|stored| stored.event.id == id);
        assert!(events.len() <= 13 && events.iter().all(|event| of_the_case(event.id)), "{asked}");
        places.extend(events.iter().map(EventRecord::place));
        match until {
            Some(until) => asked["cursor"] = plan.cursor(until).into(),
            None => break,
        }
    }
    assert!(places.is_sorted_by(|a, b| a < b), "{asked}: {places:?}");
    assert_eq!(counted.rows[0].metrics, [Some(places.len() as f64)], "{asked}");
}

fn as_oracle_row(row: &ResultRow) -> OracleRow {
    let figures = |figures: &[Figure]| {
        let figure = |figure: &Figure| match *figure {
            Figure::Count(count) => Some(count as f64),
            Figure::Number(number) => Some(number),
            Figure::Null => None,
        };
        figures.iter().map(figure).collect()
    };
    OracleRow {
        dimensions: row.dimensions.clone(),
        metrics: figures(&row.metrics),
        comparison: row.comparison.as_ref().and_then(|row| row.as_deref().map(figures)),
    }
}

fn same_row(a: &OracleRow, b: &OracleRow) -> bool {
    let same_figures = |a: &[Option<f64>], b: &[Option<f64>]| {
        a.len() == b.len()
            && a.iter().zip(b).all(|(a, b)| match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
                (a, b) => a.is_none() && b.is_none(),
            })
    };
    let same_comparison = match (&a.comparison, &b.comparison) {
        (Some(a), Some(b)) => same_figures(a, b),
        (a, b) => a.is_none() && b.is_none(),
    };
    a.dimensions == b.dimensions && same_figures(&a.metrics, &b.metrics) && same_comparison
}
