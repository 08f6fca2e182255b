//! The keys of the environment as a list for people: where each stands, never what it is.

use analytics_domain::Project;

use super::{ReadKeys, Scope};

/// Characters of a key that are shown.
const HINT: usize = 4;

/// What is filed under a key of a list, and how people find the key there.
#[derive(Clone)]
pub(super) struct Listed<T> {
    pub(super) value: T,
    place: usize,
    hint: String,
}

impl<T> Listed<T> {
    pub(super) fn new(value: T, place: usize, key: &str) -> Self {
        Self { value, place, hint: hint(key) }
    }
}

/// The first characters of a key.
#[must_use]
pub fn hint(key: &str) -> String {
    key.chars().take(HINT).collect()
}

/// A key of the environment, without what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentKey {
    /// `API_KEYS` or `WRITE_KEYS`.
    pub variable: &'static str,
    /// Its place in that list, from 1.
    pub place: usize,
    /// `read`, `admin` or `write`.
    pub scope: &'static str,
    /// Its first characters.
    pub hint: String,
}

impl ReadKeys {
    /// The keys of a project, those that read first, each list in its order. Write keys are those that this process was told.
    #[must_use]
    pub fn of_project(&self, project: &Project) -> Vec<EnvironmentKey> {
        let reading = self.keys.values().filter(|listed| listed.value.project == *project);
        let reading = reading.map(|listed| {
            let scope = if listed.value.scope == Scope::Admin { "admin" } else { "read" };
            EnvironmentKey { variable: "API_KEYS", place: listed.place, scope, hint: listed.hint.clone() }
        });
        let writing = self.write_keys.0.iter().flat_map(|keys| keys.values());
        let writing = writing.filter(|listed| listed.value == *project).map(|listed| EnvironmentKey {
            variable: "WRITE_KEYS",
            place: listed.place,
            scope: "write",
            hint: listed.hint.clone(),
        });
        let mut keys: Vec<_> = reading.chain(writing).collect();
        keys.sort_by(|a, b| (a.variable, a.place).cmp(&(b.variable, b.place)));
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::super::WriteKeys;
    use super::*;

    #[test]
    fn a_project_sees_its_own_keys_by_place_and_beginning() {
        let write = WriteKeys::parse("write_key_0123456:shop,write_key_of_other:other").unwrap();
        let keys =
            ReadKeys::parse("abcdefghijklmnop,read_key_01234567:shop:read,admin_key_1234567:shop:admin").unwrap();
        let keys = keys.with_write_keys(&write).of_project(&Project::new("shop").unwrap());
        let told: Vec<_> = keys.iter().map(|key| (key.variable, key.place, key.scope, key.hint.as_str())).collect();
        let expected =
            [("API_KEYS", 2, "read", "read"), ("API_KEYS", 3, "admin", "admi"), ("WRITE_KEYS", 1, "write", "writ")];
        assert_eq!(told, expected);
    }
}
