//! Questions over generated events, none from a cache, beside plain SQL over the raw tables and beside ClickHouse's engine: the
//! same figures from all three, and how long each takes.

mod asked;
mod clickhouse;
mod database;
mod figures;
mod load;
mod naive;
mod times;
mod visits;

use std::sync::Arc;
use std::time::Instant;

use analytics_domain::{Project, Retention};
use analytics_query::{
    Askable, Executable, FunnelQuestion, PathsQuestion, QueryError, Question, RetentionQuestion, SessionQuestion,
    SessionsQuestion, UserQuestion,
};
use analytics_store::sqlite::{SqliteOptions, SqliteStore};
use analytics_store::{EventStore, answer};
use serde_json::{Value, json};

use self::asked::{Asked, Kind};
use self::clickhouse::ClickHouse;
use self::database::Base;
use self::figures::{Figures, difference, of_answer};
use self::load::{Loaded, load};
use self::times::Times;
use crate::Outcome;
use crate::table::Table;

const SEED: u64 = 20_261_120;
const RETENTION: Retention = Retention { days: 90 };
/// SQLite is asked up to so many events, and may take so many times as long.
const SQLITE_EVENTS: u64 = 1_000_000;
const SQLITE_FACTOR: f64 = 4.0;
/// The most seconds that all runs of a question may take, where one takes less.
const SECONDS: f64 = 15.0;

/// What is kept on disk, and how many bytes it takes.
const ON_DISK: [(&str, &str); 9] = [
    ("raw_events", "(SELECT table_bytes + coalesce(toast_bytes, 0) FROM hypertable_detailed_size('raw_events'))"),
    ("index of raw_events", "(SELECT index_bytes FROM hypertable_detailed_size('raw_events'))"),
    ("event_columns", "pg_total_relation_size('event_columns')"),
    ("block_counts", "pg_total_relation_size('block_counts')"),
    ("identities", "pg_total_relation_size('identities')"),
    ("session_users", "pg_total_relation_size('session_users')"),
    ("event_ids", "pg_total_relation_size('event_ids')"),
    ("daily_metrics", "pg_total_relation_size('daily_metrics')"),
    ("marks and changes", "pg_total_relation_size('column_marks') + pg_total_relation_size('identity_changes')"),
];

/// Loads, asks all three in turn, question by question, then SQLite; only those whose names hold one of `words`, if any. With the
/// address of a database that holds events already, these are asked of.
pub async fn measure(table: &mut Table, events: u64, words: &[String], address: Option<&str>) -> Outcome<()> {
    let questions = asked::questions(words);
    if questions.is_empty() {
        return Err(format!("no question has {} in its name", words.join(" or ")).into());
    }
    let base = address.map_or_else(Base::make, |address| Ok(Base::at(address)))?;
    let store = base.store().await?;
    let events = match base.events()? {
        0 => {
            note_load(table, "PostgreSQL", events, load(&store, events, 2).await?);
            events
        }
        events => {
            table.note("PostgreSQL", format!("{events} events were there"));
            events
        }
    };
    // Autovacuum would come to it; here it must not come between the questions.
    base.psql("VACUUM (ANALYZE)")?;
    for (name, bytes) in ON_DISK {
        let bytes: f64 = base.psql(&format!("SELECT {bytes}"))?.trim().parse()?;
        table.note(&format!("on disk: {name}"), format!("{:.1} bytes an event", bytes / events as f64));
    }
    let mut clickhouse = ClickHouse::start(&base).map_err(|error| error.to_string());
    match &clickhouse {
        Ok(engine) => table.note("chDB", engine.about.clone()),
        Err(missing) => table.note("chDB", format!("left out: {}", line(missing))),
    }
    let mut differences = Vec::new();
    for asked in &questions {
        differences.extend(compare(table, &store, &base, clickhouse.as_mut().ok(), asked).await?);
    }
    drop(clickhouse);
    if events <= SQLITE_EVENTS {
        sqlite(table, events, &questions).await?;
    }
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n").into()) }
}

fn note_load(table: &mut Table, store: &str, events: u64, loaded: Loaded) {
    let Loaded { stored, columns } = loaded;
    table.note(
        &format!("{store}: {events} events stored, then their columns made"),
        format!(
            "{stored:.0} s, {columns:.0} s ({:.0} and {:.0} events/s)",
            events as f64 / stored,
            events as f64 / columns
        ),
    );
}

/// One question to all three; tells where their figures differ, and shows no ratio there.
async fn compare(
    table: &mut Table,
    store: &Arc<dyn EventStore>,
    base: &Base,
    clickhouse: Option<&mut ClickHouse>,
    asked: &Asked,
) -> Outcome<Vec<String>> {
    let ours = ask(store.as_ref(), asked).await;
    let too_slow = || format!("over {} s", naive::TIMEOUT).into();
    let others = [
        ("SQL", Some(naive::ask(base, &asked.naive)?.ok_or_else(too_slow))),
        ("chDB", clickhouse.map(|engine| engine.ask(&asked.clickhouse))),
    ];
    let (mut beside, mut ratios, mut rival, mut differences) = (Vec::new(), Vec::new(), None, Vec::new());
    for (name, other) in others {
        let (figures, times) = match other {
            None => continue,
            Some(Err(error)) => {
                beside.push(format!("{name}: {}", line(&error.to_string())));
                continue;
            }
            Some(Ok(answered)) => answered,
        };
        if let Ok((our_figures, our_times, _)) = &ours {
            if let Some(difference) = difference(our_figures, &figures) {
                beside.push(format!("{name}: other figures"));
                differences.push(format!("{}: our figures are not those of {name}: {difference}", asked.what));
                continue;
            }
            ratios.push(format!("{name} {:.2}", times.middle() / our_times.middle()));
        }
        beside.push(format!("{name} {times}"));
        if name == "chDB" {
            rival = Some(times.middle());
        }
    }
    let shown = match &ours {
        Ok((_, times, source)) => format!("{times}, {source}"),
        Err(error) => line(&error.to_string()),
    };
    let goals = goals(asked, 1.0, ours.as_ref().ok().map(|(_, times, _)| times), rival);
    table.beside(asked.what, shown, beside.join("; "), ratios.join("; "), &goals);
    Ok(differences)
}

/// What is wanted and whether it is met; a question without an answer meets nothing.
fn goals(asked: &Asked, factor: f64, ours: Option<&Times>, rival: Option<f64>) -> Vec<(String, bool)> {
    let mut goals = Vec::new();
    if let Some(limit) = asked.limit.map(|limit| limit * factor) {
        goals.push((format!("p95 at most {limit} ms"), ours.is_some_and(|times| times.percentile(95) <= limit)));
    }
    if let Some(rival) = rival.filter(|_| asked.races) {
        goals.push(("no slower than chDB".into(), ours.is_some_and(|times| times.middle() <= rival)));
    }
    goals
}

/// The same events and questions in SQLite.
async fn sqlite(table: &mut Table, events: u64, questions: &[Asked]) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("events.db");
    let store = SqliteStore::open(&path, SqliteOptions::default()).await?;
    store.migrate().await?;
    let store: Arc<dyn EventStore> = Arc::new(store);
    note_load(table, "SQLite", events, load(&store, events, 1).await?);
    let bytes = std::fs::metadata(&path)?.len() as f64 / events as f64;
    table.note("SQLite: on disk, all of it", format!("{bytes:.1} bytes an event"));
    for asked in questions {
        let ours = ask(store.as_ref(), asked).await;
        let shown = match &ours {
            Ok((_, times, source)) => format!("{times}, {source}"),
            Err(error) => line(&error.to_string()),
        };
        let goals = goals(asked, SQLITE_FACTOR, ours.as_ref().ok().map(|(_, times, _)| times), None);
        table.beside(&format!("SQLite, {}", asked.what), shown, String::new(), String::new(), &goals);
    }
    Ok(())
}

/// Figures, times, and what the answer was made from.
async fn ask(store: &dyn EventStore, asked: &Asked) -> Outcome<(Figures, Times, String)> {
    let body = &asked.body;
    let (answer, times) = match asked.kind {
        Kind::Figures => runs(store, || Question::from_json(body)).await?,
        Kind::Funnel => runs(store, || FunnelQuestion::from_json(body)).await?,
        Kind::Retention => runs(store, || RetentionQuestion::from_json(body)).await?,
        Kind::Paths => runs(store, || PathsQuestion::from_json(body)).await?,
        Kind::Sessions => runs(store, || SessionsQuestion::from_json(body)).await?,
        Kind::Session => runs(store, || SessionQuestion::from_json(id(body), &json!({}))).await?,
        Kind::User => runs(store, || UserQuestion::from_json(id(body), &json!({}))).await?,
    };
    let source = answer["meta"]["source"].as_str().unwrap_or("raw").to_owned();
    Ok((of_answer(asked.kind, &answer), times, source))
}

/// Whose events are asked for.
fn id(body: &Value) -> &str {
    body["id"].as_str().unwrap_or_default()
}

/// Asks until the time is up: from the question's JSON to the answer's, as a route does without its cache.
async fn runs<Q: Askable>(
    store: &dyn EventStore,
    question: impl Fn() -> Result<Q, QueryError>,
) -> Outcome<(Value, Times)>
where
    <Q::Plan as Executable>::Answer: serde::Serialize,
{
    let run = async || -> Outcome<(Value, f64)> {
        let began = Instant::now();
        let answered = answer(store, &question()?, &Project::default(), RETENTION, visits::now()).await?;
        let answered = serde_json::to_value(answered)?;
        Ok((answered, began.elapsed().as_secs_f64() * 1_000.0))
    };
    let (answered, first) = run().await?;
    let (warm_ups, counted) = Times::that_fit(SECONDS, first);
    if counted < 2 {
        return Ok((answered, Times::new(vec![first])));
    }
    let mut times = Vec::new();
    for turn in 0..warm_ups + counted {
        let (_, millis) = run().await?;
        if turn >= warm_ups {
            times.push(millis);
        }
    }
    Ok((answered, Times::new(times)))
}

/// An error in one line of the table.
fn line(error: &str) -> String {
    let text: String = error.lines().next().unwrap_or_default().chars().take(120).collect();
    text.replace('|', "/")
}
