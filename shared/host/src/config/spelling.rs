//! Variables that look like a misspelt one of ours.

use super::reading::Reader;
use super::variables::VARIABLES;

/// The most letters that a misspelling changes.
const MOST_EDITS: usize = 2;

/// Shorter names are near too many others.
const SHORTEST: usize = 8;

/// A sentence for each variable that is set, means nothing here, and is nearly one that does.
pub(super) fn warnings(reader: &Reader<'_>) -> Vec<String> {
    let known = |name: &str| VARIABLES.iter().any(|variable| variable.name == name);
    let strange = reader.names().filter(|name| name.len() >= SHORTEST && !known(name));
    strange
        .filter_map(|name| {
            let near = VARIABLES.iter().find(|variable| {
                variable.name.len() >= SHORTEST
                    && variable.name.len().abs_diff(name.len()) <= MOST_EDITS
                    && edits(variable.name.as_bytes(), name.as_bytes()) <= MOST_EDITS
            })?;
            Some(format!("{name} is set and means nothing here; did you mean {}?", near.name))
        })
        .collect()
}

/// How many letters have to be added, taken or changed to get from one text to the other (Levenshtein's distance).
fn edits(left: &[u8], right: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, letter) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in right.iter().enumerate() {
            let changed = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Variables;

    #[test]
    fn near_names_are_told_and_others_are_left_alone() {
        let names =
            ["REDIS_ULR", "DATABASE_URI", "WRITE_KEY", "HOSTNAME", "REDIS_PORT", "REDIS_URL", "PATH", "LOG_LEVELS"];
        let variables: Variables = names.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
        let told = warnings(&Reader::new(&variables));
        let about: Vec<&str> = told.iter().map(|sentence| sentence.split(' ').next().unwrap()).collect();
        assert_eq!(about, ["DATABASE_URI", "LOG_LEVELS", "REDIS_ULR", "WRITE_KEY"]);
        assert!(told[0].ends_with("did you mean DATABASE_URL?"));
        assert_eq!(edits(b"kitten", b"sitting"), 3);
    }
}
