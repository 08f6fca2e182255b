//! Retention at random.

use analytics_domain::Timestamp;
use analytics_query::RetentionQuestion;
use analytics_testkit::oracle::{self, StoredEvent, World};
use async_trait::async_trait;
use rand::rngs::StdRng;
use serde_json::{Value as Json, json};

use super::Case;
use super::asking::Bench;
use super::kinds::Kind;

/// Retention.
pub(crate) struct Cohorts;

#[async_trait]
impl Kind for Cohorts {
    type Answer = Json;

    const NAME: &str = "retention";
    const MEMBERS: &[&str] = &["timezone", "unit", "mode", "first", "by", "periods"];

    fn random(rng: &mut StdRng, world: &World, around: &[Timestamp], _: &[StoredEvent]) -> Json {
        oracle::random_retention(rng, world, around)
    }

    fn expected(case: &Case) -> Option<Json> {
        oracle::retention(&case.events, &case.question, &case.world).ok()
    }

    async fn got(bench: &Bench, world: &World, question: &Json) -> Result<Json, String> {
        let question = RetentionQuestion::from_json(question).map_err(|error| error.to_string())?;
        let again = RetentionQuestion::from_json(&question.to_json()).map_err(|error| error.to_string())?;
        assert_eq!(again, question, "a question is read again as it was written");
        let answer = bench.answer(world, &question).await.map_err(|error| format!("{error:?}"))?;
        Ok(json!({ "cohorts": answer.cohorts }))
    }

    fn is_telling(answer: &Json) -> bool {
        answer["cohorts"].as_array().is_some_and(|cohorts| cohorts.iter().any(|cohort| cohort["size"] != 0))
    }
}
