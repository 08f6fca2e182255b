//! Totals at random: what is counted ahead by blocks of time, asked for in every zone.

use analytics_domain::Timestamp;
use analytics_testkit::oracle::{self, StoredEvent, World};
use async_trait::async_trait;
use rand::rngs::StdRng;
use serde_json::Value as Json;

use super::Case;
use super::asking::Bench;
use super::figures::{Figures, Rows};
use super::kinds::Kind;

/// Figures of all events, of types and of actions.
pub(crate) struct Totals;

#[async_trait]
impl Kind for Totals {
    type Answer = Rows;

    const NAME: &str = "totals";
    const MEMBERS: &[&str] = &[];

    fn random(rng: &mut StdRng, world: &World, around: &[Timestamp], _: &[StoredEvent]) -> Json {
        oracle::random_totals(rng, world, around)
    }

    fn expected(case: &Case) -> Option<Rows> {
        Figures::expected(case)
    }

    async fn got(bench: &Bench, world: &World, question: &Json) -> Result<Rows, String> {
        Figures::got(bench, world, question).await
    }

    fn is_telling(answer: &Rows) -> bool {
        Figures::is_telling(answer)
    }

    fn difference(expected: &Rows, got: &Rows) -> Option<String> {
        Figures::difference(expected, got)
    }

    fn candidates(case: &Case) -> Vec<Case> {
        Figures::candidates(case)
    }
}
