//! Kinds of questions, asked of a store and of the oracle at random and held against each other.

use std::fmt::Display;
use std::io::Write as _;
use std::sync::Arc;

use analytics_domain::{Project, Timestamp};
use analytics_store::EventStore;
use analytics_testkit::oracle::{StoredEvent, World, random_events, random_world};
use async_trait::async_trait;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value as Json;

use super::asking::{Bench, Way};
use super::{Case, EVENTS, QUESTIONS_A_WORLD, number, shrinking};

/// Disagreements shown; a broken rule would show up in most questions.
const SHOWN: usize = 5;

/// A kind of question.
#[async_trait]
pub(crate) trait Kind: Sync {
    /// An answer, as far as it is compared.
    type Answer: PartialEq + Display + Send + Sync;

    /// What it is called where suites are counted.
    const NAME: &str;

    /// Optional members of a question, which go first when a disagreement is made small.
    const MEMBERS: &[&str];

    /// Events of the world's project among which questions find something.
    fn events(rng: &mut StdRng, world: &World, around: &[Timestamp]) -> Vec<StoredEvent> {
        random_events(rng, EVENTS, world, around)
    }

    /// A question.
    fn random(rng: &mut StdRng, world: &World, around: &[Timestamp], events: &[StoredEvent]) -> Json;

    /// What the oracle says; `None` where it is no question.
    fn expected(case: &Case) -> Option<Self::Answer>;

    /// What the store says, in the same shape; an error is its sentence.
    async fn got(bench: &Bench, world: &World, question: &Json) -> Result<Self::Answer, String>;

    /// Whether an answer says something about an event.
    fn is_telling(answer: &Self::Answer) -> bool;

    /// What is different between the oracle's answer and the store's; `None` where they agree.
    fn difference(expected: &Self::Answer, got: &Self::Answer) -> Option<String> {
        (expected != got).then(|| format!("oracle {expected}\nstore  {got}"))
    }

    /// Holds against each other what else follows from a question on which the two agree.
    async fn agrees_further(_bench: &Bench, _case: &Case) {}

    /// Cases with a little less, those with much less first.
    fn candidates(case: &Case) -> Vec<Case> {
        shrinking::fewer_members_and_events(case, Self::MEMBERS)
    }
}

/// What is different between what is expected and what the store says; `None` where the two agree.
pub(crate) async fn difference<K: Kind>(bench: &Bench, case: &Case, expected: &K::Answer) -> Option<String> {
    match K::got(bench, &case.world, &case.question).await {
        Ok(got) => K::difference(expected, &got),
        Err(error) => Some(format!("the store fails: {error}")),
    }
}

/// A world with its events, and where random questions about it come from.
pub(crate) struct Asked {
    rng: StdRng,
    around: Vec<Timestamp>,
    world: World,
    events: Vec<StoredEvent>,
}

impl Asked {
    /// The world of a seed, which is another one for each kind and way; its events are stored.
    pub(crate) async fn stored<K: Kind>(bench: &Bench, seed: u64) -> Self {
        let mut own = [0; 32];
        let parts = [&seed.to_le_bytes(), bench.way.name().as_bytes(), K::NAME.as_bytes()].concat();
        own.iter_mut().zip(parts).for_each(|(own, part)| *own = part);
        let mut rng = StdRng::from_seed(own);
        let project = Project::new(&format!("seed-{seed}")).unwrap();
        let (world, around) = random_world(&mut rng, &project);
        let events = K::events(&mut rng, &world, &around);
        // Another project's events stand in between and must not be seen.
        let other = World { project: Project::new("neighbour").unwrap(), ..world.clone() };
        let events = [events, random_events(&mut rng, 10, &other, &around)].concat();
        bench.store_all(&events, &world).await;
        Self { rng, around, world, events }
    }

    /// A question about it.
    pub(crate) fn question<K: Kind>(&mut self) -> Case {
        let question = K::random(&mut self.rng, &self.world, &self.around, &self.events);
        Case { world: self.world.clone(), events: self.events.clone(), question }
    }
}

/// Asks `store` and the oracle the same of raw rows, and fails where they disagree.
pub(crate) async fn agree<K: Kind>(store: Arc<dyn EventStore>, name: &str) {
    agree_by::<K>(store, name, Way::Rows).await;
}

/// The same of columns that were made of a first half of the events.
pub(crate) async fn agree_by_old_columns<K: Kind>(store: Arc<dyn EventStore>, name: &str) {
    agree_by::<K>(store, name, Way::OldColumns).await;
}

/// The same of columns of all events.
pub(crate) async fn agree_by_columns<K: Kind>(store: Arc<dyn EventStore>, name: &str) {
    agree_by::<K>(store, name, Way::Columns).await;
}

async fn agree_by<K: Kind>(store: Arc<dyn EventStore>, name: &str, way: Way) {
    let pairs = number("ANALYTICS_ORACLE_PAIRS", 300);
    let seeds = number("ANALYTICS_ORACLE_SEED", 1)..;
    let seeds = seeds.start..seeds.start + pairs.div_ceil(QUESTIONS_A_WORLD);
    let bench = Bench::new(store, way);
    let mut shown = Vec::new();
    let (mut agreed, mut telling) = (0, 0);
    for seed in seeds.clone() {
        let mut asked = Asked::stored::<K>(&bench, seed).await;
        for _ in 0..QUESTIONS_A_WORLD {
            let case = asked.question::<K>();
            let expected = K::expected(&case).unwrap_or_else(|| panic!("seed {seed}: no question: {}", case.question));
            telling += u64::from(K::is_telling(&expected));
            if difference::<K>(&bench, &case, &expected).await.is_none() {
                K::agrees_further(&bench, &case).await;
                agreed += 1;
                continue;
            }
            let (case, difference) = shrinking::shrink::<K>(&bench, case).await;
            shown.push(format!("seed {seed}\n{}\n{difference}", shrinking::describe(&case)));
            assert!(shown.len() < SHOWN, "disagreements, more may follow:\n\n{}", shown.join("\n\n"));
        }
    }
    assert!(shown.is_empty(), "disagreements:\n\n{}", shown.join("\n\n"));
    assert!(agreed >= pairs, "{agreed} pairs were asked, not {pairs}");
    assert!(telling * 4 > agreed, "only {telling} of {agreed} answers told of an event");
    let (kind, way) = (K::NAME, way.name());
    tell(&format!("oracle: {name}: {agreed} pairs of {kind} from {way}, seeds {} to {}", seeds.start, seeds.end - 1));
}

/// Writes a line to the test program's output, also where the output of tests that pass is not shown.
pub(crate) fn tell(line: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{line}").unwrap();
    output.flush().unwrap();
}
