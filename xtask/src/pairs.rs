//! How many random questions each store was asked in a run of all tests, held against how many it has to be.

use std::collections::BTreeMap;

use crate::failure::Failure;

/// Pairs of events and a question that a store has to be asked, all kinds of questions together.
const LEAST: u64 = 2_000;

/// The stores that are asked, as their suites call them.
const STORES: [&str; 3] = ["sqlite", "postgres-15", "timescale"];

/// What the suites of the oracle said, added up.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs {
    /// For each store and kind of question, how many.
    told: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Pairs {
    /// Takes a line like `oracle: sqlite: 300 pairs of funnels from raw rows, seeds 1 to 20`.
    pub(crate) fn count(&mut self, line: &str) {
        // The name of a test may stand before it, whose end comes later.
        let Some((_, told)) = line.split_once("oracle: ") else { return };
        let Some((store, told)) = told.split_once(": ") else { return };
        let Some((pairs, told)) = told.split_once(" pairs of ") else { return };
        let Some((kind, _)) = told.split_once(" from ") else { return };
        let Ok(pairs) = pairs.parse::<u64>() else { return };
        *self.told.entry(store.to_owned()).or_default().entry(kind.to_owned()).or_default() += pairs;
    }

    /// Fails where a store was asked too little.
    pub(crate) fn suffice(&self) -> Result<(), Failure> {
        for store in STORES {
            let asked = self.of(store);
            if asked < LEAST {
                let told = format!("{store} was asked {asked} random questions, {LEAST} are needed");
                return Err(Failure::Unexpected(format!("{told} (ANALYTICS_ORACLE_PAIRS says how many a suite asks)")));
            }
        }
        Ok(())
    }

    fn of(&self, store: &str) -> u64 {
        self.told.get(store).map_or(0, |kinds| kinds.values().sum())
    }
}

impl std::fmt::Display for Pairs {
    /// A line a store; nothing where none was asked.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (store, kinds) in &self.told {
            let each: Vec<String> = kinds.iter().map(|(kind, pairs)| format!("{pairs} {kind}")).collect();
            writeln!(
                f,
                "random questions that {store} and the oracle agree on: {} ({})",
                self.of(store),
                each.join(", ")
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Pairs;

    #[test]
    fn pairs_are_added_up_by_store_and_few_are_too_few() {
        let mut pairs = Pairs::default();
        pairs.count("oracle: sqlite: 300 pairs of funnels from raw rows, seeds 1 to 20");
        pairs.count(
            "test oracle::rows::sqlite_agrees ... oracle: sqlite: 15 pairs of funnels from columns, seeds 1 to 1",
        );
        pairs.count("oracle: sqlite: 2000 pairs of single sessions from raw rows, seeds 1 to 134");
        pairs.count("oracle: nothing of the kind");
        assert_eq!(
            pairs.to_string(),
            "random questions that sqlite and the oracle agree on: 2315 (315 funnels, 2000 single sessions)\n"
        );
        assert!(pairs.suffice().unwrap_err().to_string().contains("postgres-15 was asked 0 random questions"));
        for store in ["postgres-15", "timescale"] {
            pairs.count(&format!("oracle: {store}: 2000 pairs of paths from columns, seeds 1 to 134"));
        }
        assert!(pairs.suffice().is_ok());
        pairs.told.clear();
        assert!(pairs.suffice().is_err() && pairs.to_string().is_empty());
    }
}
