//! Rules about lengths and names of files.

use std::path::Component;

use super::source::SourceFile;
use super::{Finding, Findings};

/// Most lines of a written file.
const MOST_LINES: usize = 600;

/// Kinds of files that people write and read from top to bottom.
const WRITTEN: &[&str] = &["rs", "ts", "js", "mjs", "tsx", "sql", "sh", "css", "html", "py"];

/// Names that say nothing about what is inside.
const DRAWERS: &[&str] = &["util", "utils", "common", "commons", "helper", "helpers", "misc", "stuff", "shared_code"];

/// A file is at most [`MOST_LINES`] long.
pub(super) fn length(file: &SourceFile) -> Findings {
    let written = file.path().extension().is_some_and(|extension| WRITTEN.iter().any(|kind| extension == *kind));
    let lines = file.text().lines().count();
    if !written || lines <= MOST_LINES {
        return Vec::new();
    }
    vec![Finding::new(file.path(), 0, format!("{lines} lines; at most {MOST_LINES}: give each subject a file"))]
}

/// No file, folder or module is a drawer.
pub(super) fn name(file: &SourceFile) -> Findings {
    let drawer = |name: &str| DRAWERS.contains(&name.to_ascii_lowercase().as_str());
    let parts = file.path().components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let of_path = parts.filter_map(|part| {
        let stem = part.split('.').next().unwrap_or(part);
        drawer(stem).then(|| Finding::new(file.path(), 0, format!("`{stem}` does not name a subject")))
    });
    let of_modules = file.code().match_indices("mod ").filter_map(|(at, _)| {
        let rest = &file.code()[at + 4..];
        let module = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        drawer(module).then(|| Finding::new(file.path(), file.line(at), format!("`{module}` does not name a subject")))
    });
    of_path.chain(of_modules).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found() {
        let text = "line\n".repeat(601);
        assert_eq!(length(&SourceFile::new("a/b.rs", &*text)).len(), 1);
        assert_eq!(length(&SourceFile::new("a/b.sql", &*text)).len(), 1);
        assert_eq!(length(&SourceFile::new("Cargo.lock", &*text)).len(), 0);
        assert_eq!(length(&SourceFile::new("a/b.rs", "line\n".repeat(600))).len(), 0);
    }

    #[test]
    fn a_drawer_is_found() {
        assert_eq!(name(&SourceFile::new("worker/src/utils.rs", "")).len(), 1);
        assert_eq!(name(&SourceFile::new("web/helpers/a.ts", "")).len(), 1);
        assert_eq!(name(&SourceFile::new("worker/src/lib.rs", "pub mod common { }\nmod drain;"))[0].line, 1);
        assert_eq!(name(&SourceFile::new("worker/src/drain.rs", "// mod utils\nmod commonplace;")).len(), 0);
    }
}
