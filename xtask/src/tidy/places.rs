//! Rules about paths that only one machine has.

use super::source::SourceFile;
use super::{Finding, Findings};

/// Beginnings of homes and workplaces; put together so that this list is not found by itself.
const HOMES: &[&str] = &[concat!("/ho", "me/"), concat!("/Use", "rs/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")];

/// No text names a path of somebody's machine.
pub(super) fn machine_paths(file: &SourceFile) -> Findings {
    let mut findings = Vec::new();
    for (index, line) in file.text().lines().enumerate() {
        for home in HOMES {
            // Only where a path begins: `docs/work/` and `example.com/home/` are none.
            let begins = line.match_indices(home).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                before.is_none_or(|before| !before.is_alphanumeric() && !"_-./$}".contains(before))
            });
            if begins {
                findings.push(Finding::new(file.path(), index + 1, format!("`{home}...` is a path of one machine")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_one_machine_is_found() {
        for home in HOMES {
            let text = format!("fine\nsee `{home}main/README.md`\n");
            assert_eq!(machine_paths(&SourceFile::new("docs/a.md", text))[0].line, 2, "{home}");
        }
        let fine = "docs/work/a, $HOME/work/x, https://example.com/home/a and /var/cache\n";
        assert_eq!(machine_paths(&SourceFile::new("docs/a.md", fine)).len(), 0);
    }
}
