//! The path of a value in an event's metadata.

use std::fmt;

use crate::QueryError;

/// What every path begins with.
pub const PREFIX: &str = "metadata.";

/// Longest path, in Unicode scalar values.
pub const PATH_MAX: usize = 1_000;

/// Most keys in a path: metadata is at most so deep.
const KEYS_MAX: usize = 16;

/// The keys that lead from an event's metadata to a value, at least one.
///
/// Written `metadata.a.b`: dots go into objects, never into arrays. A key that holds a dot, begins with a quote or is empty
/// is written as a JSON string: `metadata."a.b"`, `metadata."say \"hi\""`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Property(Vec<String>);

impl Property {
    /// Reads a path with its prefix `metadata.`.
    ///
    /// # Errors
    /// [`QueryError`] at `path` where the text is no path.
    pub fn parse(text: &str, path: &str) -> Result<Self, QueryError> {
        let wrong = || {
            QueryError::invalid(
                path,
                format!(
                    "expected the path of a property, such as metadata.a.b or metadata.\"a.b\", of at most {PATH_MAX} \
                     characters and {KEYS_MAX} keys"
                ),
            )
        };
        let mut rest = text.strip_prefix(PREFIX).ok_or_else(wrong)?;
        if text.chars().count() > PATH_MAX || text.contains('\0') {
            return Err(wrong());
        }
        let mut keys = Vec::new();
        loop {
            if rest.starts_with('"') {
                let mut strings = serde_json::Deserializer::from_str(rest).into_iter::<String>();
                let key = strings.next().and_then(Result::ok).ok_or_else(wrong)?;
                let end = strings.byte_offset();
                keys.push(key);
                rest = &rest[end..];
            } else {
                let end = rest.find('.').unwrap_or(rest.len());
                if end == 0 {
                    return Err(wrong());
                }
                keys.push(rest[..end].to_owned());
                rest = &rest[end..];
            }
            match rest.strip_prefix('.') {
                Some(more) => rest = more,
                None if rest.is_empty() => break,
                None => return Err(wrong()),
            }
        }
        if keys.len() > KEYS_MAX || keys.iter().any(|key| key.contains('\0')) {
            return Err(wrong());
        }
        Ok(Self(keys))
    }

    /// The path of these keys; `None` where there is none of them.
    #[must_use]
    pub fn from_keys(keys: Vec<String>) -> Option<Self> {
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// The keys, outermost first.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.0
    }

    /// The path in SQLite's JSON notation, every key quoted as a JSON string.
    pub(crate) fn sqlite_path(&self) -> String {
        let mut path = String::from("$");
        for key in &self.0 {
            path.push('.');
            path.push_str(&quoted(key));
        }
        path
    }
}

/// Prints the path as it is written in questions, in one form: a key is quoted only where it has to be.
impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("metadata")?;
        for key in &self.0 {
            // What ends a key in a formula is quoted everywhere: a name is then good wherever names are taken.
            let special = |c: char| c.is_control() || c.is_whitespace() || ".\"\\+*/()".contains(c);
            let plain = !key.is_empty() && !key.contains(special);
            if plain { write!(f, ".{key}")? } else { write!(f, ".{}", quoted(key))? }
        }
        Ok(())
    }
}

fn quoted(key: &str) -> String {
    serde_json::Value::from(key).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(text: &str) -> Option<Vec<String>> {
        Property::parse(text, "p").ok().map(|property| property.0)
    }

    #[test]
    fn reads_plain_and_quoted_keys() {
        assert_eq!(keys("metadata.price").unwrap(), ["price"]);
        assert_eq!(keys("metadata.a.b").unwrap(), ["a", "b"]);
        assert_eq!(keys("metadata.\"a.b\".c").unwrap(), ["a.b", "c"]);
        assert_eq!(keys("metadata.\"say \\\"hi\\\"\"").unwrap(), ["say \"hi\""]);
        assert_eq!(keys("metadata.\"\"").unwrap(), [""]);
        assert_eq!(keys("metadata.0").unwrap(), ["0"]);
        assert_eq!(keys("metadata.$[0] ").unwrap(), ["$[0] "]);
    }

    #[test]
    fn refuses_what_is_no_path() {
        for text in
            ["", "metadata", "metadata.", "price", "metadata..a", "metadata.a.", "metadata.\"a", "metadata.\"a\"b"]
        {
            assert_eq!(keys(text), None, "{text}");
        }
        assert_eq!(keys(&format!("metadata.{}", "a".repeat(992))), None);
        assert_eq!(keys(&format!("metadata{}", ".a".repeat(17))), None);
        assert_eq!(keys("metadata.\"a\\u0000\""), None);
    }

    proptest! {
        #[test]
        fn comes_back_as_it_is_written(keys in proptest::collection::vec("[^\0]{0,12}", 1..6)) {
            let property = Property(keys);
            prop_assert_eq!(Property::parse(&property.to_string(), "p").unwrap(), property);
        }
    }
}
