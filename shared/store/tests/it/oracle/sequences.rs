//! Kinds of questions about what follows what.

use analytics_domain::Timestamp;
use analytics_query::{FunnelQuestion, PathsQuestion};
use analytics_testkit::oracle::{self, StoredEvent, World};
use async_trait::async_trait;
use rand::rngs::StdRng;
use serde_json::{Value as Json, json};

use super::asking::Bench;
use super::kinds::Kind;
use super::{Case, EVENTS};

/// Funnels.
pub(crate) struct Funnels;

#[async_trait]
impl Kind for Funnels {
    type Answer = Json;

    const NAME: &str = "funnels";
    const MEMBERS: &[&str] = &["breakdown", "exclude", "filters", "timezone", "order", "by", "window"];

    fn events(rng: &mut StdRng, world: &World, around: &[Timestamp]) -> Vec<StoredEvent> {
        oracle::random_trails(rng, EVENTS, world, around)
    }

    fn random(rng: &mut StdRng, world: &World, around: &[Timestamp], events: &[StoredEvent]) -> Json {
        oracle::random_funnel(rng, world, around, events)
    }

    fn expected(case: &Case) -> Option<Json> {
        oracle::funnel(&case.events, &case.question, &case.world).ok()
    }

    async fn got(bench: &Bench, world: &World, question: &Json) -> Result<Json, String> {
        let question = FunnelQuestion::from_json(question).map_err(|error| error.to_string())?;
        let again = FunnelQuestion::from_json(&question.to_json()).map_err(|error| error.to_string())?;
        assert_eq!(again, question, "a question is read again as it was written");
        let answer = bench.answer(world, &question).await.map_err(|error| format!("{error:?}"))?;
        let mut told = json!({ "steps": answer.steps });
        if let Some(breakdown) = answer.breakdown {
            told["breakdown"] = json!(breakdown);
        }
        Ok(told)
    }

    fn is_telling(answer: &Json) -> bool {
        answer["steps"][1]["count"] != 0
    }
}

/// Paths.
pub(crate) struct Paths;

#[async_trait]
impl Kind for Paths {
    type Answer = Json;

    const NAME: &str = "paths";
    const MEMBERS: &[&str] = &["from", "to", "depth", "limit", "name", "by", "timezone"];

    fn events(rng: &mut StdRng, world: &World, around: &[Timestamp]) -> Vec<StoredEvent> {
        oracle::random_trails(rng, EVENTS, world, around)
    }

    fn random(rng: &mut StdRng, world: &World, around: &[Timestamp], events: &[StoredEvent]) -> Json {
        oracle::random_paths(rng, world, around, events)
    }

    fn expected(case: &Case) -> Option<Json> {
        oracle::paths(&case.events, &case.question, &case.world).ok()
    }

    async fn got(bench: &Bench, world: &World, question: &Json) -> Result<Json, String> {
        let question = PathsQuestion::from_json(question).map_err(|error| error.to_string())?;
        let again = PathsQuestion::from_json(&question.to_json()).map_err(|error| error.to_string())?;
        assert_eq!(again, question, "a question is read again as it was written");
        let answer = bench.answer(world, &question).await.map_err(|error| format!("{error:?}"))?;
        Ok(json!({ "nodes": answer.nodes, "links": answer.links }))
    }

    fn is_telling(answer: &Json) -> bool {
        answer["links"].as_array().is_some_and(|links| !links.is_empty())
    }
}
