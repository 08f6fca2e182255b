//! Sessions, one session and one person at random, each followed to its last page.

use analytics_domain::Timestamp;
use analytics_query::{
    Askable, EventRecord, Executable, PageMeta, QueryError, QueryErrorCode, SessionQuestion, SessionsQuestion,
    UserQuestion,
};
use analytics_store::AnswerError;
use analytics_testkit::oracle::{self, StoredEvent, World};
use async_trait::async_trait;
use rand::rngs::StdRng;
use serde_json::{Value as Json, json};

use super::Case;
use super::asking::Bench;
use super::kinds::Kind;

/// A page: what stands before the list, the list, and how it goes on.
type Page = (Json, Vec<Json>, PageMeta);

/// Follows a list to its end; `null` where it is of something that is not there.
///
/// Every page but the last is full, and what stands before the list is the same on each.
async fn follow<Q: Askable>(
    bench: &Bench,
    world: &World,
    question: &Json,
    read: impl Fn(&Json) -> Result<Q, QueryError>,
    page: impl Fn(<Q::Plan as Executable>::Answer) -> Page,
) -> Result<Json, String> {
    let mut question = question.clone();
    let limit = question["limit"].as_u64().unwrap_or(100);
    let mut followed: Option<(Json, Vec<Json>)> = None;
    loop {
        let read = read(&question).map_err(|error| error.to_string())?;
        let answer = match bench.answer(world, &read).await {
            Err(AnswerError::Query(error)) if followed.is_none() && error.code != QueryErrorCode::QueryTooLarge => {
                let missing = [QueryErrorCode::SessionNotFound, QueryErrorCode::UserNotFound].contains(&error.code);
                return if missing { Ok(Json::Null) } else { Err(error.to_string()) };
            }
            answer => answer.map_err(|error| format!("{error:?}"))?,
        };
        let (head, rows, meta) = page(answer);
        if rows.len() as u64 != limit && (meta.next_cursor.is_some() || rows.len() as u64 > limit) {
            return Err(format!("{} rows on a page of {limit}", rows.len()));
        }
        let (known, all) = followed.get_or_insert_with(|| (head.clone(), Vec::new()));
        if *known != head {
            return Err(format!("{known} and then {head}"));
        }
        all.extend(rows);
        match meta.next_cursor {
            Some(cursor) => question["cursor"] = cursor.into(),
            None => {
                let (mut answer, rows) = followed.unwrap_or_default();
                answer["results"] = rows.into();
                return Ok(answer);
            }
        }
    }
}

/// What [`SessionQuestion::from_json`] and its like read beside the id.
fn without_id(question: &Json) -> (String, Json) {
    let mut question = question.clone();
    let id = question.as_object_mut().and_then(|members| members.remove("id"));
    (id.and_then(|id| id.as_str().map(str::to_owned)).unwrap_or_default(), question)
}

fn ids(events: Vec<EventRecord>) -> Vec<Json> {
    events.into_iter().map(|event| event.id.to_string().into()).collect()
}

/// Lists of sessions.
pub(crate) struct Sessions;

#[async_trait]
impl Kind for Sessions {
    type Answer = Json;

    const NAME: &str = "lists of sessions";
    const MEMBERS: &[&str] = &["filters", "timezone", "limit"];

    fn random(rng: &mut StdRng, world: &World, around: &[Timestamp], _: &[StoredEvent]) -> Json {
        oracle::random_sessions(rng, world, around)
    }

    fn expected(case: &Case) -> Option<Json> {
        oracle::sessions(&case.events, &case.question, &case.world).ok()
    }

    async fn got(bench: &Bench, world: &World, question: &Json) -> Result<Json, String> {
        follow(bench, world, question, SessionsQuestion::from_json, |answer| {
            (json!({}), answer.results.iter().map(|session| json!(session)).collect(), answer.meta)
        })
        .await
    }

    fn is_telling(answer: &Json) -> bool {
        answer["results"].as_array().is_some_and(|rows| !rows.is_empty())
    }
}

/// One session.
pub(crate) struct OneSession;

#[async_trait]
impl Kind for OneSession {
    type Answer = Json;

    const NAME: &str = "single sessions";
    const MEMBERS: &[&str] = &["timezone", "limit"];

    fn random(rng: &mut StdRng, world: &World, around: &[Timestamp], _: &[StoredEvent]) -> Json {
        oracle::random_timeline(rng, world, around, true)
    }

    fn expected(case: &Case) -> Option<Json> {
        oracle::session(&case.events, &case.question, &case.world).ok().map(Option::unwrap_or_default)
    }

    async fn got(bench: &Bench, world: &World, question: &Json) -> Result<Json, String> {
        let read = |question: &Json| {
            let (id, question) = without_id(question);
            SessionQuestion::from_json(&id, &question)
        };
        follow(bench, world, question, read, |answer| {
            (json!({ "session": answer.session }), ids(answer.results), answer.meta)
        })
        .await
    }

    fn is_telling(answer: &Json) -> bool {
        !answer.is_null()
    }
}

/// One person.
pub(crate) struct OneUser;

#[async_trait]
impl Kind for OneUser {
    type Answer = Json;

    const NAME: &str = "persons";
    const MEMBERS: &[&str] = &["timezone", "limit"];

    fn random(rng: &mut StdRng, world: &World, around: &[Timestamp], _: &[StoredEvent]) -> Json {
        oracle::random_timeline(rng, world, around, false)
    }

    fn expected(case: &Case) -> Option<Json> {
        oracle::user(&case.events, &case.question, &case.world).ok().map(Option::unwrap_or_default)
    }

    async fn got(bench: &Bench, world: &World, question: &Json) -> Result<Json, String> {
        let read = |question: &Json| {
            let (id, question) = without_id(question);
            UserQuestion::from_json(&id, &question)
        };
        follow(bench, world, question, read, |answer| {
            (json!({ "user": answer.user }), ids(answer.results), answer.meta)
        })
        .await
    }

    fn is_telling(answer: &Json) -> bool {
        !answer.is_null()
    }
}
