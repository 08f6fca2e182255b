//! Events told apart by the texts of fields.

use std::collections::HashMap;
use std::rc::Rc;

use super::values::Values;

/// The place of an absent text.
pub(super) const ABSENT: u32 = u32::MAX;

/// A field's values over a quarter, and for each of them the place of its text among all that were found.
#[derive(Debug)]
pub(super) struct PlacedTexts {
    pub(super) places: Vec<u32>,
    pub(super) values: Rc<Values>,
}

impl PlacedTexts {
    fn of_event(&self, event: usize) -> u32 {
        let code = self.values.codes.get(event).copied().unwrap_or(0);
        self.places.get(code as usize).copied().unwrap_or(ABSENT)
    }
}

/// A property's numbers over a quarter.
#[derive(Debug)]
pub(super) struct Numbers {
    by_code: Vec<Option<f64>>,
    values: Rc<Values>,
}

impl Numbers {
    pub(super) fn new(values: Rc<Values>) -> Self {
        Self { by_code: values.values.iter().map(|value| value.number()).collect(), values }
    }

    pub(super) fn of_event(&self, event: usize) -> Option<f64> {
        let code = self.values.codes.get(event)?;
        *self.by_code.get(*code as usize)?
    }
}

/// Events with the same texts.
#[derive(Debug)]
pub(super) struct Alike {
    /// The places of the texts, a field after the other.
    pub(super) texts: Vec<u32>,
    /// The places of the events.
    pub(super) events: Vec<usize>,
}

/// The events at these places, told apart.
pub(super) fn alike(texts: &[PlacedTexts], events: impl Iterator<Item = usize>) -> Vec<Alike> {
    match texts {
        [] => {
            let events: Vec<usize> = events.collect();
            if events.is_empty() { Vec::new() } else { vec![Alike { texts: Vec::new(), events }] }
        }
        [one] => told_apart(events, |event| one.of_event(event), |text| vec![*text]),
        several => told_apart(
            events,
            |event| several.iter().map(|one| one.of_event(event)).collect::<Vec<u32>>(),
            Clone::clone,
        ),
    }
}

fn told_apart<K: Eq + std::hash::Hash>(
    events: impl Iterator<Item = usize>,
    key: impl Fn(usize) -> K,
    texts: impl Fn(&K) -> Vec<u32>,
) -> Vec<Alike> {
    let mut found: HashMap<K, usize> = HashMap::new();
    let mut all: Vec<Alike> = Vec::new();
    for event in events {
        let key = key(event);
        let place = match found.get(&key) {
            Some(place) => *place,
            None => {
                all.push(Alike { texts: texts(&key), events: Vec::new() });
                found.insert(key, all.len() - 1);
                all.len() - 1
            }
        };
        if let Some(alike) = all.get_mut(place) {
            alike.events.push(event);
        }
    }
    all
}
