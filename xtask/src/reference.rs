//! The pages of `docs/` that are made from the code, and the pictures that are drawn of published answers.

use crate::command::Command;
use crate::failure::Failure;
use crate::pictures;
use crate::workspace::Workspace;

/// A page, and the name by which the example `reference` prints it.
const PAGES: &[(&str, &str)] = &[("docs/configuration.md", "configuration"), ("docs/metrics.md", "metrics")];

/// Writes the pages and pictures, or with `check` only compares them.
pub(crate) fn run(workspace: &Workspace, check: bool) -> Result<(), Failure> {
    let mut made = Vec::new();
    for (page, name) in PAGES {
        // An example, so that this program itself builds without the servers' dependencies.
        let text = Command::cargo(workspace)
            .arguments(["run", "--quiet", "--package", "xtask", "--example", "reference", "--", name])
            .output()?;
        made.push(((*page).to_owned(), text));
    }
    made.extend(pictures::all(workspace)?);
    let mut drifted = Vec::new();
    for (page, made) in made {
        let path = workspace.root().join(&page);
        let present = std::fs::read_to_string(&path).unwrap_or_default();
        if present == made {
            println!("{page} is what it is made from");
        } else if check {
            print_first_difference(&page, &present, &made);
            drifted.push(page);
        } else {
            let folder = path.parent().unwrap_or(workspace.root());
            std::fs::create_dir_all(folder).map_err(Failure::io(format!("make the folder of {page}")))?;
            std::fs::write(&path, made).map_err(Failure::io(format!("write {page}")))?;
            println!("{page} is written");
        }
    }
    match &drifted[..] {
        [] => Ok(()),
        [page] => Err(Failure::Drift(format!("{page} is"))),
        _ => Err(Failure::Drift(format!("{} are", drifted.join(" and ")))),
    }
}

fn print_first_difference(page: &str, present: &str, made: &str) {
    if let Some((line, there, code)) = first_difference(present, made) {
        println!("{page}:{line}: has  {there}\n{page}:{line}: made {code}");
    }
}

/// The first line, counted from 1, in which two texts differ; a line that is not there is empty.
fn first_difference<'a>(present: &'a str, made: &'a str) -> Option<(usize, &'a str, &'a str)> {
    let lines = present.lines().count().max(made.lines().count());
    let pairs = present.lines().chain(std::iter::repeat("")).zip(made.lines().chain(std::iter::repeat("")));
    let mut numbered = pairs.take(lines).enumerate();
    numbered.find(|(_, (there, code))| there != code).map(|(index, (there, code))| (index + 1, there, code))
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn a_drifted_page_is_told_by_its_line() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some((2, "b", "c")));
        assert_eq!(first_difference("a\n", "a\nc\n"), Some((2, "", "c")));
        assert_eq!(first_difference("", "a\n"), Some((1, "", "a")));
    }
}
