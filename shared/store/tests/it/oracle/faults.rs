//! Stores that are only a little wrong: the random questions find each of them out.
//!
//! The store is asked what it is asked everywhere. The oracle is asked the same as a wrong store would understand it: an hour
//! beside the zone, a microsecond beside the window. A suite that could not tell the two apart would be worth nothing, so
//! they have to disagree within as many questions as a suite asks, where the two agree on the question as it was.

use std::sync::Arc;

use analytics_domain::Timestamp;
use analytics_store::EventStore;
use analytics_testkit::postgres::Edition;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::asking::{Bench, Way};
use super::cohorts::Cohorts;
use super::figures::Figures;
use super::kinds::{Asked, Kind, difference, tell};
use super::sequences::{Funnels, Paths};
use super::sessions::Sessions;
use super::{Case, QUESTIONS_A_WORLD, number, postgres, sqlite};

/// Questions within which a fault has to be found: as many as a suite asks.
const PAIRS: u64 = 300;

/// Changes a case into what a wrong store would take it for; false where it would take it for the same.
type Fault = fn(&mut Case) -> bool;

/// Fails where the questions of a kind do not tell a wrong store from a right one.
async fn is_found<K: Kind>(store: Arc<dyn EventStore>, way: Way, name: &str, fault: Fault) {
    let bench = Bench::new(store, way);
    let first_seed = number("ANALYTICS_ORACLE_SEED", 1);
    let (mut asked, mut touched) = (0, 0);
    for seed in first_seed..first_seed + PAIRS.div_ceil(QUESTIONS_A_WORLD) {
        let mut world = Asked::stored::<K>(&bench, seed).await;
        for _ in 0..QUESTIONS_A_WORLD {
            asked += 1;
            let case = world.question::<K>();
            let mut wrong = case.clone();
            if !fault(&mut wrong) {
                continue;
            }
            touched += 1;
            let expected = K::expected(&wrong).unwrap_or_else(|| panic!("{name}: no question: {}", wrong.question));
            if difference::<K>(&bench, &case, &expected).await.is_none() {
                continue;
            }
            let right = K::expected(&case).unwrap();
            assert_eq!(difference::<K>(&bench, &case, &right).await, None, "{name}: not by the fault");
            tell(&format!("fault: {name}: found by {}, question {asked} (of {touched} that it touches)", K::NAME));
            return;
        }
    }
    panic!("{name}: none of {asked} questions found it, {touched} of them touched by it");
}

/// Stamps a test on a fault, which the questions of a kind find in SQLite.
macro_rules! are_found {
    ($($name:ident: $kind:ty, $way:expr, $fault:expr;)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let folder = tempfile::tempdir().unwrap();
            is_found::<$kind>(sqlite(&folder).await, $way, stringify!($name), $fault).await;
        })*
    };
}

are_found! {
    a_zone_an_hour_off_in_figures: Figures, Way::Rows, |case| other_zone(case, AN_HOUR_OFF);
    a_zone_an_hour_off_in_figures_of_columns: Figures, Way::Columns, |case| other_zone(case, AN_HOUR_OFF);
    a_zone_an_hour_off_in_ranges_of_figures: Figures, Way::Rows, without_time_an_hour_off;
    a_zone_an_hour_off_in_funnels: Funnels, Way::Rows, |case| other_zone(case, AN_HOUR_OFF);
    a_zone_an_hour_off_in_retention: Cohorts, Way::Rows, |case| other_zone(case, AN_HOUR_OFF);
    a_zone_an_hour_off_in_retention_of_columns: Cohorts, Way::Columns, |case| other_zone(case, AN_HOUR_OFF);
    clocks_that_never_change_in_figures: Figures, Way::Rows, |case| other_zone(case, WITHOUT_SUMMER);
    clocks_that_never_change_in_retention: Cohorts, Way::Rows, |case| other_zone(case, WITHOUT_SUMMER);
    weeks_from_sunday_in_figures: Figures, Way::Rows, weeks_of_figures_from_sunday;
    weeks_from_sunday_in_retention: Cohorts, Way::Columns, weeks_of_retention_from_sunday;
    a_window_without_its_end: Funnels, Way::Rows, |case| window(case, -1);
    a_window_without_its_end_of_columns: Funnels, Way::Columns, |case| window(case, -1);
    a_window_a_second_too_long: Funnels, Way::Rows, |case| window(case, 1_000_000);
    a_range_with_its_end: Funnels, Way::Rows, |case| edges(case, 0, 1);
    a_range_without_its_start: Funnels, Way::Rows, |case| edges(case, 1, 0);
    a_range_with_its_end_in_paths: Paths, Way::Columns, |case| edges(case, 0, 1);
    ids_the_other_way_round_in_funnels: Funnels, Way::Rows, ids_the_other_way_round;
    ids_the_other_way_round_in_paths: Paths, Way::Rows, ids_the_other_way_round;
    ids_the_other_way_round_in_paths_of_columns: Paths, Way::Columns, ids_the_other_way_round;
    ids_the_other_way_round_in_sessions: Sessions, Way::Rows, ids_the_other_way_round;
    steps_that_need_no_order: Funnels, Way::Rows, any_order;
    exclusions_that_are_forgotten: Funnels, Way::Columns, without_exclusions;
    a_first_start_of_all_times: Cohorts, Way::Rows, first_of_all_times;
    deeds_of_several_events: Figures, Way::Rows, deeds_of_several_events_in_filters;
    what_is_kept_too_long: Figures, Way::Rows, without_retention;
    events_of_a_neighbour: Figures, Way::Columns, with_neighbours;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_window_is_found_in_postgres() {
    let (store, _database) = postgres(Edition::Plain15).await;
    is_found::<Funnels>(store, Way::Rows, "a_window_without_its_end on postgres", |case| window(case, -1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_zone_is_found_in_timescale() {
    let (store, _database) = postgres(Edition::Timescale17).await;
    let fault = |case: &mut Case| other_zone(case, AN_HOUR_OFF);
    is_found::<Cohorts>(store, Way::Columns, "a_zone_an_hour_off on timescale", fault).await;
}

/// Zones, and others whose clocks are about an hour off at every instant or at almost every one.
const AN_HOUR_OFF: &[(&str, &str)] = &[
    ("UTC", "Etc/GMT-1"),
    ("Europe/Berlin", "Europe/London"),
    ("America/New_York", "America/Chicago"),
    ("Pacific/Chatham", "Etc/GMT-12"),
    ("Asia/Kathmandu", "Etc/GMT-5"),
    ("Australia/Lord_Howe", "Etc/GMT-9"),
    ("Africa/Cairo", "Etc/GMT-1"),
    ("America/Sao_Paulo", "Etc/GMT+4"),
];

/// Zones, and others that are the same in winter and know no summer.
const WITHOUT_SUMMER: &[(&str, &str)] = &[
    ("Europe/Berlin", "Etc/GMT-1"),
    ("America/New_York", "Etc/GMT+5"),
    ("Africa/Cairo", "Etc/GMT-2"),
    ("America/Sao_Paulo", "Etc/GMT+3"),
];

fn other_zone(case: &mut Case, zones: &[(&str, &str)]) -> bool {
    let asked = case.question["timezone"].as_str().unwrap_or("UTC");
    let Some((_, other)) = zones.iter().find(|(zone, _)| *zone == asked) else { return false };
    case.question["timezone"] = json!(other);
    true
}

/// Buckets of time name their offset, so that any figures of them would do.
fn without_time_an_hour_off(case: &mut Case) -> bool {
    let has_time = case.question["dimensions"].to_string().contains("time:");
    !has_time && other_zone(case, AN_HOUR_OFF)
}

fn weeks_of_figures_from_sunday(case: &mut Case) -> bool {
    let text = case.question.to_string();
    case.question = serde_json::from_str(&text.replace("\"time:week\"", "\"time:week_from_sunday\"")).unwrap();
    text.contains("\"time:week\"")
}

fn weeks_of_retention_from_sunday(case: &mut Case) -> bool {
    let has_weeks = case.question.get("unit").is_none_or(|unit| unit == "week");
    if has_weeks {
        case.question["unit"] = json!("week_from_sunday");
    }
    has_weeks
}

/// A window by so many microseconds longer. Times are whole microseconds: one less is a window without its end.
fn window(case: &mut Case, by: i64) -> bool {
    let asked = case.question["window"].as_str().unwrap_or("1d");
    let (number, unit) = asked.split_at(asked.len() - 1);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        _ => 24 * 60 * 60,
    };
    let micros = number.parse::<i64>().unwrap() * seconds * 1_000_000 + by;
    case.question["window"] = json!(format!("{micros}u"));
    true
}

/// A range whose ends, where they are instants, are so many microseconds later.
fn edges(case: &mut Case, from: i64, to: i64) -> bool {
    let instant = |end: usize| Timestamp::parse_rfc3339(case.question["date_range"][end].as_str()?);
    let (Some(first), Some(last)) = (instant(0), instant(1)) else { return false };
    let moved = [first.saturating_add_micros(from), last.saturating_add_micros(to)];
    case.question["date_range"] = json!(moved);
    true
}

/// The greatest id becomes the lowest.
fn ids_the_other_way_round(case: &mut Case) -> bool {
    for stored in &mut case.events {
        stored.event.id = Uuid::from_u128(!stored.event.id.as_u128());
    }
    true
}

fn any_order(case: &mut Case) -> bool {
    let has_order = case.question.get("order").is_none_or(|order| order == "ordered");
    case.question["order"] = json!("any");
    has_order
}

fn without_exclusions(case: &mut Case) -> bool {
    case.question.as_object_mut().unwrap().remove("exclude").is_some()
}

fn first_of_all_times(case: &mut Case) -> bool {
    let is_of_range = case.question.get("first").is_none_or(|first| first == "in_range");
    case.question["first"] = json!("ever");
    is_of_range
}

/// One event for each filter, where one has to pass them all.
fn deeds_of_several_events_in_filters(case: &mut Case) -> bool {
    fn split(filter: &mut Json) -> bool {
        let name = filter[0].as_str().unwrap_or_default().to_owned();
        match (name.as_str(), filter[1].as_array().map(Vec::len)) {
            ("has_done", Some(2..)) => {
                let each = filter[1].as_array().unwrap().iter().map(|filter| json!(["has_done", [filter]]));
                *filter = json!(["and", each.collect::<Json>()]);
                true
            }
            ("not", _) => split(&mut filter[1]),
            ("and" | "or", _) => filter[1].as_array_mut().unwrap().iter_mut().map(split).filter(|is| *is).count() > 0,
            _ => false,
        }
    }
    let filters = case.question.get_mut("filters").and_then(Json::as_array_mut);
    // Each is split, so none is left out behind the first.
    filters.into_iter().flatten().map(split).filter(|is| *is).count() > 0
}

fn without_retention(case: &mut Case) -> bool {
    let is_kept_for_ever = case.world.retention_days == 0;
    case.world.retention_days = 0;
    !is_kept_for_ever
}

fn with_neighbours(case: &mut Case) -> bool {
    for stored in &mut case.events {
        stored.project = case.world.project.clone();
    }
    true
}
