//! How many actors took which way.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::{PathLink, PathNode};
use crate::{QueryError, ROW_BUDGET};

/// Most ways between two names that are counted apart, over all steps.
const LINKS_MAX: usize = 1_000_000;
/// Most bytes of all names.
const NAMES_BYTES_MAX: usize = 64 << 20;

/// What is called the names of a step beyond the limit.
const OTHER: &str = "other";

/// A name's place among all names that were met.
type Name = u32;

/// What has been counted so far. Every name is told apart until the end: which are the most frequent is known only then.
#[derive(Debug, Default)]
pub(super) struct Tally {
    names: HashMap<Option<Arc<str>>, Name, RandomState>,
    names_bytes: usize,
    nodes: HashMap<(usize, Name), u64, RandomState>,
    links: HashMap<(usize, Name, Name), u64, RandomState>,
}

impl Tally {
    /// Counts an actor's path.
    pub(super) fn take(&mut self, path: &[Option<Arc<str>>]) -> Result<(), QueryError> {
        let mut before = None;
        for (step, name) in path.iter().enumerate() {
            let name = self.name(name)?;
            *self.nodes.entry((step, name)).or_default() += 1;
            if let Some((step, before)) = before.replace((step, name)) {
                *self.links.entry((step, before, name)).or_default() += 1;
            }
        }
        self.check()
    }

    /// Takes in what was counted elsewhere, of other actors.
    pub(super) fn join(&mut self, other: Self) -> Result<(), QueryError> {
        let mut own = vec![Name::MAX; other.names.len()];
        for (name, number) in &other.names {
            if let Some(slot) = own.get_mut(*number as usize) {
                *slot = self.name(name)?;
            }
        }
        let own = |name: Name| own.get(name as usize).copied().unwrap_or(Name::MAX);
        for ((step, name), count) in other.nodes {
            *self.nodes.entry((step, own(name))).or_default() += count;
        }
        for ((step, from, to), count) in other.links {
            *self.links.entry((step, own(from), own(to))).or_default() += count;
        }
        self.check()
    }

    fn check(&self) -> Result<(), QueryError> {
        if self.links.len() > LINKS_MAX {
            return Err(too_many(&format!("more than {LINKS_MAX} different ways from one name to the next")));
        }
        Ok(())
    }

    fn name(&mut self, name: &Option<Arc<str>>) -> Result<Name, QueryError> {
        if let Some(known) = self.names.get(name) {
            return Ok(*known);
        }
        self.names_bytes += name.as_ref().map_or(0, |name| name.len());
        let number = Name::try_from(self.names.len()).unwrap_or(Name::MAX);
        if self.names.len() >= ROW_BUDGET || self.names_bytes > NAMES_BYTES_MAX {
            return Err(too_many(&format!("more than {ROW_BUDGET} different names, or more text than fits")));
        }
        self.names.insert(name.clone(), number);
        Ok(number)
    }

    /// The nodes and links, of each step `limit` names by themselves.
    pub(super) fn finish(self, limit: usize) -> (Vec<PathNode>, Vec<PathLink>) {
        let mut texts: Vec<Option<Arc<str>>> = vec![None; self.names.len()];
        for (text, number) in self.names {
            if let Some(place) = texts.get_mut(number as usize) {
                *place = text;
            }
        }
        let text = |name: Name| texts.get(name as usize).and_then(Option::as_deref);
        let mut steps: BTreeMap<usize, Vec<(Name, u64)>> = BTreeMap::new();
        for ((step, name), count) in self.nodes {
            steps.entry(step).or_default().push((name, count));
        }
        let mut nodes = Vec::new();
        // Where each name of a step stands in the answer: at its own place, or at that of the rest.
        let mut places: HashMap<(usize, Name), usize> = HashMap::new();
        for (step, mut names) in steps {
            names.sort_unstable_by(|(a, a_count), (b, b_count)| {
                let (a, b) = (text(*a), text(*b));
                b_count.cmp(a_count).then_with(|| a.is_none().cmp(&b.is_none())).then_with(|| a.cmp(&b))
            });
            let rest = names.split_off(names.len().min(limit));
            // A name that is `other` itself cannot be told from the rest.
            let (same, told): (Vec<_>, Vec<_>) =
                names.into_iter().partition(|(name, _)| !rest.is_empty() && text(*name) == Some(OTHER));
            for (name, count) in told {
                places.insert((step, name), nodes.len());
                nodes.push(PathNode { step, name: text(name).map(str::to_owned), count });
            }
            if !rest.is_empty() {
                let rest = || rest.iter().chain(&same);
                places.extend(rest().map(|(name, _)| ((step, *name), nodes.len())));
                nodes.push(PathNode {
                    step,
                    name: Some(OTHER.to_owned()),
                    count: rest().map(|(_, count)| count).sum(),
                });
            }
        }
        let mut links: HashMap<(usize, usize), u64> = HashMap::new();
        for ((step, from, to), count) in self.links {
            if let (Some(from), Some(to)) = (places.get(&(step, from)), places.get(&(step + 1, to))) {
                *links.entry((*from, *to)).or_default() += count;
            }
        }
        let mut links: Vec<((usize, usize), u64)> = links.into_iter().collect();
        let step_of = |place: usize| nodes.get(place).map_or(0, |node| node.step);
        links.sort_unstable_by_key(|((from, to), count)| (step_of(*from), u64::MAX - count, *from, *to));
        let name_of = |place: usize| nodes.get(place).and_then(|node| node.name.clone());
        let link = |((from, to), count): ((usize, usize), u64)| PathLink {
            step: step_of(from),
            from: name_of(from),
            to: name_of(to),
            count,
        };
        let links = links.into_iter().map(link).collect();
        (nodes, links)
    }
}

fn too_many(what: &str) -> QueryError {
    let message = format!("the paths have {what}; take another name, narrow date_range, or ask for less depth");
    QueryError::too_large("name", message)
}
