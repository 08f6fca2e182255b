//! Lists of sessions: what is read after a look into columns is what raw rows give.

use std::ops::ControlFlow;

use analytics_domain::{Event, Project};
use analytics_query::{
    Askable as _, Context, Executable as _, Param, Row, SessionsAnswer, SessionsQuestion, Statement,
};
use analytics_store::{Inquiry, Listed, Reading, answer, ask};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use super::columns::{of, refresh};
use super::{DAY, Fixture, NOW, RETENTION, SECOND, batch, project};

const MINUTE: i64 = 60 * SECOND;
/// The quarter of an hour that begins now.
const QUARTER: i64 = NOW.as_micros() / (15 * MINUTE);

/// A plan's context, as somebody would have it who knows of columns or not.
fn context(project: &Project, has_columns: bool) -> Context {
    let (first_event, newest_receipt) = (Some(NOW.saturating_add_micros(-30 * DAY)), None);
    Context { now: NOW, project: project.clone(), retention: RETENTION, first_event, newest_receipt, has_columns }
}

/// Events of some sessions in the last days: most are short, some come back, many begin at the same instant.
fn random(rng: &mut StdRng, ids: std::ops::Range<u128>) -> Vec<Event<'static>> {
    let names: Vec<String> =
        (0..70).map(|number| ["s", "S", "é", "日", "%"][number % 5].to_owned() + &number.to_string()).collect();
    let mut events = Vec::new();
    let mut ids = ids;
    while let Some(id) = ids.next() {
        let session = names.choose(rng).unwrap();
        let start = if rng.random_bool(0.7) {
            session.len() as i64 * 7 + rng.random_range(0..9) * 400
        } else {
            rng.random_range(0..4_000)
        };
        let user = rng.random_bool(0.2).then(|| ["ann", "bob"][rng.random_range(0..2)]);
        for (step, id) in std::iter::once(id).chain(ids.by_ref().take(rng.random_range(0..5))).enumerate() {
            let mut event = of(id, session, user, (start - step as i64 * rng.random_range(0..20)).max(0));
            event.timestamp = event.timestamp.saturating_add_micros(-1);
            event.event_action = ["view", "cart", "pay"][rng.random_range(0..3)].into();
            event.metadata = json!({"n": rng.random_range(0..50)}).to_string().into();
            events.push(event);
        }
    }
    events
}

/// The whole list from raw rows.
async fn of_raw_rows(fixture: &Fixture, project: &Project, question: &Value) -> SessionsAnswer {
    let mut question = question.clone();
    question["limit"] = 10_000.into();
    let plan = SessionsQuestion::from_json(&question).unwrap().plan(&context(project, false)).unwrap();
    assert!(plan.looking().is_none());
    ask(fixture.store.as_ref(), Reading::Primary, &plan).await.unwrap()
}

/// Follows the list of a question page by page, and holds it against the whole; how many sessions that is.
async fn pages_agree(fixture: &Fixture, project: &Project, question: &Value) -> usize {
    let expected = of_raw_rows(fixture, project, question).await.results;
    let mut question = question.clone();
    let mut results = Vec::new();
    loop {
        let plan = SessionsQuestion::from_json(&question).unwrap().plan(&context(project, true)).unwrap();
        let page = ask(fixture.store.as_ref(), Reading::Primary, &plan).await.unwrap();
        results.extend(page.results);
        match page.meta.next_cursor {
            Some(cursor) if results.len() <= expected.len() => question["cursor"] = cursor.into(),
            _ => break,
        }
    }
    let in_words = |sessions: &[_]| sessions.iter().map(|session| json!(session).to_string()).collect::<Vec<_>>();
    assert_eq!(in_words(&results), in_words(&expected), "{question}");
    results.len()
}

/// Asks for sessions of all sorts.
async fn all_agree(fixture: &Fixture) {
    let ranges = [
        json!("7d"),
        json!("30h"),
        json!("all"),
        json!("today"),
        json!(["2026-11-01T11:07:00Z", "2026-11-01T11:09:30Z"]),
        json!(["2026-10-31T09:52:00.000001Z", "2026-11-02T09:58:59.999999Z"]),
        json!(["2026-09-01", "2026-09-02"]),
    ];
    let filters = [
        json!([]),
        json!([["is", "event_action", ["pay"]]]),
        json!([["gt", "metadata.n", [40]], ["is_not", "event_action", ["view"]]]),
        json!([["or", [["is", "metadata.n", ["3"]], ["not", ["exists", "metadata.n"]]]]]),
        json!([["is", "event_type", ["nothing"]]]),
        // These are not told by columns.
        json!([["is", "session_id", ["s5", "日8"]]]),
        json!([["exists", "user_id"]]),
    ];
    let mut limits = [2, 9, 30, 100].into_iter().cycle();
    let mut found = 0;
    for project in [project("shop"), project("mall")] {
        for date_range in &ranges {
            for filters in &filters {
                let limit = limits.next().unwrap();
                let question = json!({"date_range": date_range, "filters": filters, "limit": limit});
                found += pages_agree(fixture, &project, &question).await;
            }
        }
        found += pages_agree(fixture, &project, &json!({"date_range": "7d", "limit": 1})).await;
    }
    assert!(found > 500, "{found}");
}

pub(crate) async fn pages_of_sessions_are_those_of_raw_rows(fixture: &Fixture) {
    let mut rng = StdRng::seed_from_u64(7);
    let (shop, mall) = (project("shop"), project("mall"));
    fixture.put(&batch(&shop, random(&mut rng, 1..300))).await;
    fixture.put(&batch(&mall, random(&mut rng, 1..80))).await;
    refresh(fixture).await;
    all_agree(fixture).await;
    // Into quarters that have columns, and of sessions that nobody has seen.
    fixture.put(&batch(&shop, random(&mut rng, 300..360))).await;
    let events = (0..6).map(|id| of(400 + id, &format!("neu{}", id % 4), None, 3 + 500 * (id as i64 / 2))).collect();
    fixture.put(&batch(&shop, events)).await;
    all_agree(fixture).await;
    let erased = fixture.store.erase(&shop, "ann", NOW).await.unwrap();
    assert!(erased.events > 10, "{erased:?}");
    all_agree(fixture).await;
    refresh(fixture).await;
    all_agree(fixture).await;
}

/// The statement that a page is read by, after a look.
async fn narrowed(fixture: &Fixture, project: &Project, question: Value) -> Option<Statement> {
    let plan = SessionsQuestion::from_json(&question).unwrap().plan(&context(project, true)).unwrap();
    let mut looking = plan.looking()?;
    let statements = looking.statements(fixture.store.dialect());
    let mut goes_on = ControlFlow::Continue(());
    let mut inquiry = Listed::new(&statements, |place, row| {
        goes_on = looking.push(place, row);
        goes_on
    });
    fixture.store.select_together(Reading::Primary, &mut inquiry).await.unwrap();
    let found = if goes_on.is_continue() { looking.found() } else { None };
    Some(found?.statements(fixture.store.dialect()).remove(0))
}

pub(crate) async fn a_page_of_sessions_reads_the_quarters_of_its_sessions(fixture: &Fixture) {
    let project = project("shop");
    // Each quarter has a session that goes on into the next one, and one that was there from the beginning.
    let events = (0..100_u128).flat_map(|ago| {
        let (minutes, session) = (15 * ago as i64 + 5, format!("s{ago}"));
        let own = [of(4 * ago, &session, None, minutes), of(4 * ago + 1, &session, None, (minutes - 15).max(0))];
        own.into_iter().chain([of(4 * ago + 2, "old", None, minutes)])
    });
    let mut events: Vec<Event<'static>> = events.collect();
    // Nobody else is there for so long, or pays.
    events.push(of(1_000, "s50", None, 15 * 20));
    events[3 * 60].event_action = "pay".into();
    fixture.put(&batch(&project, events)).await;
    let read = async |question: Value| {
        let statement = narrowed(fixture, &project, question).await.unwrap();
        let quarters = statement.params.into_iter().find_map(|param| match param {
            Param::Ints(quarters) => Some(quarters),
            _ => None,
        });
        quarters.unwrap().into_iter().map(|quarter| QUARTER - quarter).collect::<Vec<_>>()
    };
    let page = |number: usize| json!({"date_range": "7d", "limit": number});
    for _ in 0..2 {
        // Two and one more: those that start in the last three quarters, where the first is the one that goes on now.
        assert_eq!(read(page(2)).await, [3, 2, 1, 0]);
        let question = SessionsQuestion::from_json(&page(49)).unwrap();
        let first = answer(fixture.store.as_ref(), &question, &project, RETENTION, NOW).await.unwrap();
        assert_eq!(first.results.last().unwrap().session_id, "s48");
        let mut second = page(49);
        second["cursor"] = first.meta.next_cursor.unwrap().into();
        second["limit"] = 49.into();
        // From the quarter of the last one back; `s50` is seen once more, and `old` is there from the beginning.
        let quarters = read(second).await;
        assert_eq!(quarters.first(), Some(&99), "{quarters:?}");
        assert!(quarters.ends_with(&[50, 49, 48, 20]), "{quarters:?}");
        let pay = json!({"date_range": "7d", "filters": [["is", "event_action", ["pay"]]]});
        assert_eq!(read(pay).await, [61, 60]);
        assert_eq!(read(json!({"date_range": ["2026-09-01", "2026-09-02"]})).await, [0; 0]);
        refresh(fixture).await;
    }
}

pub(crate) async fn columns_that_cannot_be_read_are_no_obstacle_to_a_list(fixture: &Fixture) {
    let project = project("shop");
    let mut rng = StdRng::seed_from_u64(8);
    fixture.put(&batch(&project, random(&mut rng, 1..100))).await;
    refresh(fixture).await;
    let question = json!({"date_range": "7d", "limit": 3});
    assert!(narrowed(fixture, &project, question.clone()).await.is_some());
    let first = "(SELECT min(quarter) FROM event_columns)";
    let nothing = match fixture.store.dialect() {
        analytics_query::Dialect::Postgres => "'\\xff'::bytea",
        analytics_query::Dialect::Sqlite => "X'ff'",
    };
    fixture
        .operator
        .run(&format!("UPDATE event_columns SET data = {nothing} WHERE name = 'actors' AND quarter = {first}"));
    assert!(narrowed(fixture, &project, question.clone()).await.is_none());
    assert!(pages_agree(fixture, &project, &question).await > 10);
}

/// Stores an event behind the back of whoever asks, between one statement and the next.
struct Disturbed<'f> {
    fixture: &'f Fixture,
    seen: Vec<Row>,
}

impl Inquiry for Disturbed<'_> {
    fn statement(&mut self, place: usize) -> Option<Statement> {
        if place == 1 {
            self.fixture.operator.run("DELETE FROM column_marks");
        }
        (place < 2).then(|| Statement { sql: "SELECT count(*) FROM column_marks".to_owned(), params: vec![] })
    }

    fn push(&mut self, _: usize, row: Row) -> ControlFlow<()> {
        self.seen.push(row);
        ControlFlow::Continue(())
    }
}

pub(crate) async fn what_is_asked_next_is_of_the_state_that_was_looked_at(fixture: &Fixture) {
    fixture.put(&batch(&project("shop"), vec![of(1, "a", None, 5), of(2, "a", None, 50)])).await;
    let mut inquiry = Disturbed { fixture, seen: Vec::new() };
    fixture.store.select_together(Reading::Primary, &mut inquiry).await.unwrap();
    let two = vec![analytics_query::Cell::Int(2)];
    assert_eq!(inquiry.seen, [two.clone(), two]);
    assert_eq!(fixture.count("column_marks").await, 0);
}
