//! The pictures in `docs/queries/pictures`, drawn of the answers that stand on the pages.
//!
//! The answers are those of the running routes: a test of the API asks for each of them. So a picture shows what is answered,
//! and drifts with the page that it is on.

mod export;
mod figures;
mod funnel;
mod lanes;
mod page;
mod paths;
mod properties;
mod retention;
mod sessions;
mod sheet;
mod table;

use crate::failure::Failure;
use crate::workspace::Workspace;

use page::Page;
use sheet::Sheet;

/// The folder of the pages.
const PAGES: &str = "docs/queries";

/// A picture: the page that it stands on and bears the name of, and what draws it.
type Picture = (&'static str, fn(&Page) -> Result<Sheet, Failure>);

/// One for each page on questions.
const PICTURES: [Picture; 8] = [
    ("export", export::draw),
    ("filters", lanes::draw),
    ("funnel", funnel::draw),
    ("metrics", figures::draw),
    ("paths", paths::draw),
    ("properties", properties::draw),
    ("retention", retention::draw),
    ("sessions", sessions::draw),
];

/// The pictures as they have to be: the path of each, and its text.
///
/// # Errors
/// Where a page has no such answer, or does not show its picture, or where there are pages without one.
pub(crate) fn all(workspace: &Workspace) -> Result<Vec<(String, String)>, Failure> {
    let folder = workspace.root().join(PAGES);
    let listed = std::fs::read_dir(&folder).map_err(Failure::io(format!("list {PAGES}")))?;
    let mut pages: Vec<String> = Vec::new();
    for entry in listed {
        let name = entry.map_err(Failure::io(format!("list {PAGES}")))?.file_name();
        pages.extend(name.to_string_lossy().strip_suffix(".md").map(str::to_owned));
    }
    pages.sort();
    if !pages.iter().eq(PICTURES.iter().map(|(name, _)| name)) {
        return Err(Failure::Unexpected(format!("the pages of {PAGES} are {pages:?}, and each needs a picture")));
    }
    PICTURES
        .iter()
        .map(|(name, draw)| Ok((format!("{PAGES}/pictures/{name}.svg"), one(workspace, name, *draw)?)))
        .collect()
}

fn one(workspace: &Workspace, name: &str, draw: fn(&Page) -> Result<Sheet, Failure>) -> Result<String, Failure> {
    let path = format!("{PAGES}/{name}.md");
    let text = std::fs::read_to_string(workspace.root().join(&path)).map_err(Failure::io(format!("read {path}")))?;
    if !text.contains(&format!("](pictures/{name}.svg)")) {
        return Err(Failure::Unexpected(format!("{path} does not show pictures/{name}.svg")));
    }
    let sheet = draw(&Page::read(path, &text)?)?;
    match &sheet.collisions()[..] {
        [] => Ok(sheet.text()),
        found => Err(Failure::Unexpected(format!("the picture {name}: {}", found.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every picture is one well-formed document, whose texts lie within it and beside each other.
    #[test]
    fn nothing_overlaps_and_nothing_sticks_out() {
        let workspace = Workspace::find().unwrap();
        for (name, draw) in PICTURES {
            let path = format!("{PAGES}/{name}.md");
            let text = std::fs::read_to_string(workspace.root().join(&path)).unwrap();
            let sheet = draw(&Page::read(path, &text).unwrap()).unwrap();
            assert_eq!(sheet.collisions(), Vec::<String>::new(), "{name}");
            let svg = sheet.text();
            assert_eq!(svg.matches("<g").count(), svg.matches("</g>").count(), "{name}");
            assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count(), "{name}");
            assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{name}");
        }
    }

    #[test]
    fn a_picture_changes_with_the_answer_on_its_page() {
        let workspace = Workspace::find().unwrap();
        let text = std::fs::read_to_string(workspace.root().join("docs/queries/retention.md")).unwrap();
        let draw = |text: &str| retention::draw(&Page::read("page", text).unwrap()).unwrap().text();
        assert_eq!(draw(&text), draw(&text));
        assert_ne!(draw(&text), draw(&text.replacen("\"count\": 3, \"out_of\": 4", "\"count\": 2, \"out_of\": 4", 1)));
    }
}
