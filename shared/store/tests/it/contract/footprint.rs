//! What the store takes on disk is told, and what it will take comes true.

use analytics_domain::{Batch, Retention, Timestamp};
use analytics_query::Dialect;
use analytics_store::footprint::Daily;
use analytics_store::{Footprint, Keeping, Maintenance};

use super::{DAY, Fixture, NOW, as_int, batch, event, project, work};

const EVENTS_A_DAY: u64 = 1_200;
/// Of an event's metadata; the rest of a row is some 100 bytes.
const METADATA: usize = 400;
const DEDUPE_DAYS: u32 = 30;
const KEEPING: Keeping = Keeping { retention: Retention { days: 90 }, dedupe_days: DEDUPE_DAYS, chunk_days: 7 };

/// The events of a whole day, evenly spread, each batch received in its hour.
fn of_day(day: i64) -> Vec<Batch<'static>> {
    let project = project("shop");
    let apart = DAY / EVENTS_A_DAY as i64;
    let events = (0..EVENTS_A_DAY).map(|index| {
        let number = u128::from(day.unsigned_abs() * EVENTS_A_DAY + index);
        let mut event = event(number);
        event.timestamp = Timestamp::from_utc_day(day).saturating_add_micros(index as i64 * apart);
        event.session_id = format!("session {}", number / 8).into();
        // Of digits that no two events share, so that no store finds anything to leave out.
        let digits: String = (0_u128..).map(|n| format!("{:x}", (number * 1_000 + n).pow(3))).take(20).collect();
        event.metadata = format!(r#"{{"note":"{}"}}"#, &digits[..METADATA - 11]).into();
        event
    });
    let events: Vec<_> = events.collect();
    let received = |events: &[_]| Batch { received_at: events_end(events), ..batch(&project, events.to_vec()) };
    events.chunks(50).map(received).collect()
}

fn events_end(events: &[analytics_domain::Event<'static>]) -> Timestamp {
    events.last().unwrap().timestamp
}

async fn put_days(fixture: &Fixture, days: std::ops::Range<i64>) {
    for day in days {
        fixture.ingest(&work(&of_day(day))).await.unwrap();
        while fixture.store.refresh().await.unwrap().left {}
    }
}

async fn footprint(fixture: &Fixture, day: i64) -> Footprint {
    let found = fixture.store.footprint(Timestamp::from_utc_day(day), DEDUPE_DAYS).await.unwrap();
    assert_eq!(found.events as i64, fixture.count("raw_events").await, "{found:?}");
    found
}

/// Everything that lies in tables of the database, or in the file.
async fn all_bytes(fixture: &Fixture) -> u64 {
    let sql = match fixture.store.dialect() {
        Dialect::Postgres => {
            "SELECT sum(pg_total_relation_size(c.oid))::int8 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'r' AND n.nspname IN ('public', '_timescaledb_internal') AND c.relname NOT LIKE 'bgw_%'
                 AND (n.nspname = 'public' OR c.relname LIKE '_hyper_%')"
        }
        Dialect::Sqlite => "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    };
    as_int(&fixture.rows(sql, Vec::new()).await[0][0]).unsigned_abs()
}

pub(crate) async fn what_is_taken_and_will_be_is_told(fixture: &Fixture) {
    let today = NOW.utc_day();
    assert_eq!(footprint(fixture, today).await.daily, None);
    put_days(fixture, today - 20..today - 10).await;
    let found = footprint(fixture, today - 10).await;
    assert_eq!((found.events, found.remembered), (10 * EVENTS_A_DAY, 10 * EVENTS_A_DAY));
    assert_eq!(found.daily, Some(Daily { events: EVENTS_A_DAY, days: 7 }));
    let all = all_bytes(fixture).await;
    // SQLite's own pages are no table's; PostgreSQL may have grown one between two looks.
    assert!(found.bytes().abs_diff(all) <= all / 100, "{found:?}, {all}");
    let bytes = found.event_bytes().unwrap();
    assert!(bytes.raw > METADATA as f64 && bytes.raw < METADATA as f64 * 1.5, "{bytes:?}");
    assert!(bytes.index > 15.0 && bytes.index < 80.0, "{bytes:?}");
    assert!(bytes.id > 25.0 && bytes.id < 200.0, "{bytes:?}");
    assert!(bytes.columns > 20.0 && bytes.compressed.is_none(), "{bytes:?}");

    // The same ten days again: what they took is what was told.
    let forecast = found.forecast(KEEPING).unwrap();
    put_days(fixture, today - 10..today).await;
    let later = footprint(fixture, today).await;
    let grown = later.bytes() - found.bytes();
    let told = forecast.days_to_fill(grown).unwrap();
    assert!((9..=11).contains(&told), "{grown} bytes in ten days, told were {told} days of {}", forecast.a_day());
}

pub(crate) async fn what_has_gone_is_told_no_more(fixture: &Fixture) {
    let today = NOW.utc_day();
    let keep_up = async |day: i64| {
        let now = Timestamp::from_utc_day(day);
        let maintenance = Maintenance { now, retention: KEEPING.retention, dedupe_days: DEDUPE_DAYS };
        fixture.store.maintain(maintenance).await.unwrap();
    };
    // A generation of ids is half of the remembrance, and three are kept.
    keep_up(today - 20).await;
    put_days(fixture, today - 20..today - 5).await;
    keep_up(today - 5).await;
    put_days(fixture, today - 5..today).await;
    keep_up(today + 10).await;
    let full = footprint(fixture, today + 10).await;
    assert_eq!((full.events, full.remembered), (20 * EVENTS_A_DAY, 20 * EVENTS_A_DAY));
    assert_eq!(full.daily, Some(Daily { events: 0, days: 7 }));
    keep_up(today + 25).await;
    let found = footprint(fixture, today + 25).await;
    assert_eq!((found.events, found.remembered), (20 * EVENTS_A_DAY, 5 * EVENTS_A_DAY));
    let (before, after) = (full.event_bytes().unwrap().id, found.event_bytes().unwrap().id);
    assert!(after > before * 0.5 && after < before * 2.0, "{before} bytes an id, then {after}");
    keep_up(today + 80).await;
    let found = footprint(fixture, today + 80).await;
    assert!(found.events < full.events && found.events >= 10 * EVENTS_A_DAY, "{found:?}");
    assert!(found.raw < full.raw || fixture.store.dialect() == Dialect::Postgres, "{found:?}");
    keep_up(today + 95).await;
    keep_up(today + 110).await;
    let found = footprint(fixture, today + 110).await;
    assert_eq!((found.events, found.remembered), (0, 0));
    assert!(found.ids < full.ids / 10 && found.event_bytes().is_none(), "{found:?}");
}
