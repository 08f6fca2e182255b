//! The members of a body, read one by one: what is wrong is named by its place.

use analytics_host::problem::Problem;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::problems::invalid_body;

/// Most characters of a name that is told back.
const SHOWN: usize = 100;

/// A JSON object whose members are all known.
#[derive(Debug)]
pub(crate) struct Members(Map<String, Value>);

impl Members {
    /// Reads a body.
    ///
    /// # Errors
    /// 400 `invalid_body`, with the `path` of a member that there is not.
    pub(crate) fn read(body: &[u8], known: &[&str]) -> Result<Self, Problem> {
        let members = serde_json::from_slice(body).map_err(|error| invalid_body(error.to_string()))?;
        Self::of(members, "", known)
    }

    /// Takes an object that stands at `place`.
    fn of(members: Map<String, Value>, place: &str, known: &[&str]) -> Result<Self, Problem> {
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => {
                let name: String = name.chars().take(SHOWN).collect();
                Err(wrong(format!("{place}{name}"), &format!("there is no such member; expected {}", known.join(", "))))
            }
            None => Ok(Self(members)),
        }
    }

    /// A member, where it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A text of so many characters at most, none of them a control character.
    pub(crate) fn text(&self, name: &'static str, most: usize) -> Result<&str, Problem> {
        let expected =
            || wrong(name, &format!("expected a text of 1 to {most} characters, none of them a control character"));
        read_text(self.get(name), most).ok_or_else(expected)
    }

    /// One of some words.
    pub(crate) fn word<T: Copy>(&self, name: &'static str, words: &[(&str, T)]) -> Result<T, Problem> {
        let given = self.get(name).and_then(Value::as_str);
        let found = words.iter().find(|(word, _)| given == Some(*word));
        let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        found.map(|(_, meant)| *meant).ok_or_else(|| wrong(name, &format!("expected {}", all.join(" or "))))
    }

    /// An object, at most so many bytes of compact JSON.
    pub(crate) fn object(&self, name: &'static str, most: usize) -> Result<&Value, Problem> {
        let object = self.get(name).filter(|value| value.is_object());
        let object = object.ok_or_else(|| wrong(name, "expected an object"))?;
        let bytes = object.to_string().len();
        if bytes > most {
            return Err(wrong(name, &format!("it has {bytes} bytes as compact JSON; expected at most {most}")));
        }
        Ok(object)
    }

    /// A list of at most so many objects, each with its place.
    pub(crate) fn objects(
        &self,
        name: &'static str,
        most: usize,
        known: &[&str],
    ) -> Result<Vec<(String, Members)>, Problem> {
        let expected = || wrong(name, &format!("expected a list of at most {most} objects"));
        let items =
            self.get(name).and_then(Value::as_array).filter(|items| items.len() <= most).ok_or_else(expected)?;
        let read = |(number, item): (usize, &Value)| {
            let place = format!("{name}[{number}]");
            let members = item.as_object().ok_or_else(|| wrong(&place, "expected an object"))?;
            Ok((place.clone(), Self::of(members.clone(), &format!("{place}."), known)?))
        };
        items.iter().enumerate().map(read).collect()
    }

    /// An id, in an object at `place`.
    pub(crate) fn id_at(&self, place: &str, name: &'static str) -> Result<Uuid, Problem> {
        let id = self.get(name).and_then(Value::as_str).and_then(|text| Uuid::parse_str(text).ok());
        id.ok_or_else(|| wrong(format!("{place}.{name}"), "expected the id of a view, a UUID"))
    }

    /// The members themselves.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

/// A text of 1 to `most` characters, none of them a control character.
pub(crate) fn read_text(value: Option<&Value>, most: usize) -> Option<&str> {
    value.and_then(Value::as_str).filter(|text| {
        let length = text.chars().take(most + 1).count();
        (1..=most).contains(&length) && !text.chars().any(char::is_control)
    })
}

/// 400 `invalid_body` at a place.
pub(crate) fn wrong(place: impl Into<String>, detail: &str) -> Problem {
    invalid_body(detail).with("path", place.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Members, Problem> {
        Members::read(body.as_bytes(), &["name", "state", "tiles"])
    }

    fn place<T: std::fmt::Debug>(result: Result<T, Problem>) -> Option<String> {
        Some(result.unwrap_err().extra("path")?.as_str().unwrap().to_owned())
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        assert_eq!(place(read("[]")), None);
        assert_eq!(place(read("{\"nam\":1}")).as_deref(), Some("nam"));
        let text = |body: &str| read(body).unwrap().text("name", 3).map(str::to_owned);
        assert_eq!(text(r#"{"name":"äöü"}"#), Ok("äöü".to_owned()));
        for body in [r#"{"name":"abcd"}"#, r#"{"name":""}"#, r#"{"name":"a\u0000"}"#, r#"{"name":7}"#, "{}"] {
            assert_eq!(place(text(body)).as_deref(), Some("name"), "{body}");
        }
        let object = |body: &str| read(body).unwrap().object("state", 10).cloned();
        assert!(object(r#"{"state":{"a":1}}"#).is_ok());
        for body in [r#"{"state":{"a":12345}}"#, r#"{"state":[]}"#, r#"{"state":null}"#] {
            assert_eq!(place(object(body)).as_deref(), Some("state"), "{body}");
        }
        let tiles = |body: &str| read(body).unwrap().objects("tiles", 2, &["view"]).map(|tiles| tiles.len());
        assert_eq!(tiles(r#"{"tiles":[{},{"view":1}]}"#), Ok(2));
        assert_eq!(place(tiles(r#"{"tiles":[{},{},{}]}"#)).as_deref(), Some("tiles"));
        assert_eq!(place(tiles(r#"{"tiles":[{},1]}"#)).as_deref(), Some("tiles[1]"));
        assert_eq!(place(tiles(r#"{"tiles":[{"vie":1}]}"#)).as_deref(), Some("tiles[0].vie"));
    }
}
