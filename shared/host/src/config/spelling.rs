//! Variables that look like a misspelt one of ours.

use super::reading::Reader;
use super::variables::VARIABLES;

/// The most letters that a misspelling changes.
const MOST_EDITS: usize = 2;

/// Shorter names are near too many others.
const SHORTEST: usize = 8;

/// The least letters of a name that is told for being ours but for `_` and a plural: PORTS may well be another program's.
const SHORTEST_WORDS: usize = 6;

/// A sentence for each variable that is set, means nothing here, and is nearly one that does.
pub(super) fn warnings(reader: &Reader<'_>) -> Vec<String> {
    let known = |name: &str| VARIABLES.iter().any(|variable| variable.name == name);
    let strange = reader.names().filter(|name| !known(name));
    strange
        .filter_map(|name| {
            let near = VARIABLES.iter().find(|variable| is_near(variable.name, name))?;
            Some(format!("{name} is set and means nothing here; did you mean {}?", near.name))
        })
        .collect()
}

/// Whether a name is one of ours but for a letter or two, or but for `_`, case and a plural.
fn is_near(ours: &str, name: &str) -> bool {
    let same_words = || {
        let words = words(ours);
        words.len() >= SHORTEST_WORDS && words == self::words(name)
    };
    let few_edits = || {
        ours.len().min(name.len()) >= SHORTEST
            && ours.len().abs_diff(name.len()) <= MOST_EDITS
            && edits(ours.as_bytes(), name.as_bytes()) <= MOST_EDITS
    };
    same_words() || few_edits()
}

/// A name without `_`, in capitals, in the singular: `TRUSTED_PROXIES` and `trustedproxy` are one.
fn words(name: &str) -> String {
    let mut words = name.replace('_', "").to_ascii_uppercase();
    if words.ends_with("IES") {
        words.truncate(words.len() - 3);
        words.push('Y');
    } else if words.ends_with('S') {
        words.pop();
    }
    words
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

    #[test]
    fn a_missing_plural_or_underscore_is_told_and_other_programs_names_are_not() {
        let told = |name: &str| {
            let variables: Variables = [(name.to_owned(), "x".to_owned())].into();
            warnings(&Reader::new(&variables)).pop()
        };
        for (name, meant) in [
            ("API_KEY", "API_KEYS"),
            ("APIKEYS", "API_KEYS"),
            ("APIKEY", "API_KEYS"),
            ("api_keys", "API_KEYS"),
            ("DATADIR", "DATA_DIR"),
            ("DATA_DIRS", "DATA_DIR"),
            ("TRUSTED_PROXY", "TRUSTED_PROXIES"),
            ("WRITE_KEY", "WRITE_KEYS"),
            ("REDISURL", "REDIS_URL"),
            ("LOGLEVEL", "LOG_LEVEL"),
            ("CORS_ORIGIN", "CORS_ORIGINS"),
        ] {
            let sentence = told(name).unwrap_or_default();
            assert!(sentence.ends_with(&format!("did you mean {meant}?")), "{name}: {sentence}");
        }
        for name in [
            "PATH",
            "HOME",
            "HOSTNAME",
            "HOSTS",
            "PORTS",
            "DATABASE",
            "DATABASES",
            "API_KEY_FILE",
            "API_URL",
            "KEYS",
            "REDIS",
            "REDIS_HOST",
            "DATA",
            "LOGS",
            "USER",
            "LOGNAME",
            "NODE_VERSION",
            "HTTP_PROXY",
            "NO_PROXY",
            "KUBERNETES_PORT",
            "AWS_REGION",
            "XDG_DATA_DIRS",
            "LANG",
            "",
        ] {
            assert_eq!(told(name), None, "{name}");
        }
    }
}
