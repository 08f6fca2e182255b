//! Kinds of questions whose whole answer the oracle gives as JSON, asked at random and compared as they are.
//!
//! The same variables as for the questions of metrics and dimensions say how many are asked and where the seeds begin.

use std::sync::Arc;

use analytics_domain::{Project, Timestamp};
use analytics_query::{Askable, Executable, plan};
use analytics_store::{AnswerError, EventStore};
use analytics_testkit::oracle::{StoredEvent, World, random_events, random_world};
use async_trait::async_trait;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value as Json;

use super::asking::{Bench, Way};
use super::{Case, EVENTS, QUESTIONS_A_WORLD, SHOWN, number, shrinking};

/// Candidates tried for one disagreement.
const TRIES: usize = 400;

/// A kind of question.
#[async_trait]
pub(crate) trait Kind: Sync {
    /// Optional members of a question, which go first when a disagreement is made small.
    const MEMBERS: &[&str];

    /// Events of the world's project among which questions find something.
    fn events(rng: &mut StdRng, world: &World, around: &[Timestamp]) -> Vec<StoredEvent> {
        random_events(rng, EVENTS, world, around)
    }

    /// A question.
    fn random(rng: &mut StdRng, world: &World, around: &[Timestamp], events: &[StoredEvent]) -> Json;

    /// What the oracle says; `None` where it is no question.
    fn expected(case: &Case) -> Option<Json>;

    /// What the store says, in the same shape; an error is its sentence.
    async fn got(bench: &Bench, world: &World, question: &Json) -> Result<Json, String>;

    /// Whether an answer says something about an event.
    fn is_telling(answer: &Json) -> bool;
}

impl Bench {
    /// Asks the store as the API does.
    pub(crate) async fn answer<Q: Askable>(
        &self,
        world: &World,
        question: &Q,
    ) -> Result<<Q::Plan as Executable>::Answer, AnswerError> {
        // A project's state is asked for in a test of its own.
        let context = self.context(world).await.unwrap();
        self.run(&plan(question, &context)?).await
    }
}

/// What is different; `None` where the two agree.
async fn difference<K: Kind>(bench: &Bench, case: &Case) -> Option<String> {
    let expected = K::expected(case)?;
    match K::got(bench, &case.world, &case.question).await {
        Ok(got) if got == expected => None,
        Ok(got) => Some(format!("oracle {expected}\nstore  {got}")),
        Err(error) => Some(format!("the store fails: {error}")),
    }
}

/// The smallest case that was found in which the two still disagree, and how.
async fn shrink<K: Kind>(bench: &Bench, mut case: Case) -> (Case, String) {
    let mut found = "they agree when the same events are stored again in another project".to_owned();
    let mut tries = 0;
    'smaller: loop {
        for candidate in candidates::<K>(&case) {
            tries += 1;
            if tries > TRIES {
                return (case, found);
            }
            let candidate = bench.in_fresh_projects(&candidate);
            bench.store_all(&candidate.events, &candidate.world).await;
            if let Some(difference) = difference::<K>(bench, &candidate).await {
                (case, found) = (candidate, difference);
                continue 'smaller;
            }
        }
        return (case, found);
    }
}

fn candidates<K: Kind>(case: &Case) -> Vec<Case> {
    let mut candidates = Vec::new();
    for member in K::MEMBERS {
        let mut question = case.question.clone();
        if question.as_object_mut().is_some_and(|members| members.remove(*member).is_some()) {
            candidates.push(Case { question, ..case.clone() });
        }
    }
    let mut size = case.events.len() / 2;
    while size > 0 {
        for start in (0..case.events.len()).step_by(size) {
            let mut events = case.events.clone();
            events.drain(start..(start + size).min(events.len()));
            candidates.push(Case { events, ..case.clone() });
        }
        size /= 2;
    }
    candidates
}

/// Asks `store` and the oracle the same of raw rows, and fails where they disagree.
pub(crate) async fn agree<K: Kind>(store: Arc<dyn EventStore>) {
    agree_by::<K>(store, Way::Rows).await;
}

/// The same of columns that were made of a first half of the events.
pub(crate) async fn agree_by_old_columns<K: Kind>(store: Arc<dyn EventStore>) {
    agree_by::<K>(store, Way::OldColumns).await;
}

/// The same of columns of all events.
pub(crate) async fn agree_by_columns<K: Kind>(store: Arc<dyn EventStore>) {
    agree_by::<K>(store, Way::Columns).await;
}

async fn agree_by<K: Kind>(store: Arc<dyn EventStore>, way: Way) {
    let pairs = number("ANALYTICS_ORACLE_PAIRS", 300);
    let first_seed = number("ANALYTICS_ORACLE_SEED", 1);
    let bench = Bench::new(store, way);
    let mut shown = Vec::new();
    let mut telling = 0;
    for seed in first_seed..first_seed + pairs.div_ceil(QUESTIONS_A_WORLD) {
        let mut rng = StdRng::seed_from_u64(seed);
        let project = Project::new(&format!("seed-{seed}")).unwrap();
        let (world, around) = random_world(&mut rng, &project);
        let events = K::events(&mut rng, &world, &around);
        let other = World { project: Project::new("neighbour").unwrap(), ..world.clone() };
        let events = [events, random_events(&mut rng, 10, &other, &around)].concat();
        bench.store_all(&events, &world).await;
        for _ in 0..QUESTIONS_A_WORLD {
            let question = K::random(&mut rng, &world, &around, &events);
            let case = Case { world: world.clone(), events: events.clone(), question };
            let expected = K::expected(&case).unwrap_or_else(|| panic!("seed {seed}: no question: {}", case.question));
            telling += u64::from(K::is_telling(&expected));
            if difference::<K>(&bench, &case).await.is_none() {
                continue;
            }
            let (case, difference) = shrink::<K>(&bench, case).await;
            shown.push(format!("seed {seed}\n{}\n{difference}", shrinking::describe(&case)));
            assert!(shown.len() < SHOWN, "disagreements, more may follow:\n\n{}", shown.join("\n\n"));
        }
    }
    assert!(shown.is_empty(), "disagreements:\n\n{}", shown.join("\n\n"));
    assert!(telling * 3 > pairs, "only {telling} of {pairs} answers told of an event");
}
