//! The rules of the house that the compiler does not know.
//!
//! A rule is a name, a reason and a check; each check's tests show a bad sample that it catches.

mod attributes;
mod directions;
mod environment;
mod files;
mod packages;
mod places;
mod source;

use std::path::PathBuf;

use crate::failure::Failure;
use crate::workspace::Workspace;
use source::SourceFile;

/// One broken rule at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The file, relative to the root.
    path: PathBuf,
    /// Counted from 1; 0 where the whole file is meant.
    line: usize,
    /// What is wrong and what would be right.
    message: String,
}

impl Finding {
    fn new(path: impl Into<PathBuf>, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.into(), line, message: message.into() }
    }
}

type Findings = Vec<Finding>;

/// How a rule is checked.
enum Check {
    /// On each file alone.
    File(fn(&SourceFile) -> Findings),
    /// On the crates and what they depend on.
    Crates(fn(&Workspace) -> Result<Findings, Failure>),
}

struct Rule {
    name: &'static str,
    why: &'static str,
    check: Check,
}

const RULES: &[Rule] = &[
    Rule {
        name: "file-length",
        why: "A file of more than 600 lines has more than one subject.",
        check: Check::File(files::length),
    },
    Rule {
        name: "file-name",
        why: "A drawer named utils, common, helpers or misc takes everything; a file is named by its subject.",
        check: Check::File(files::name),
    },
    Rule {
        name: "environment",
        why: "Only a `main` reads the environment, so that everything below it can be tested side by side.",
        check: Check::File(environment::variables),
    },
    Rule {
        name: "clock",
        why: "Wall time comes from `host::clock`, so that a test can set it; `domain` and `query` know no clock at all.",
        check: Check::File(environment::clock),
    },
    Rule {
        name: "edge",
        why: "Only a `main` binds a port, and only `host` and a `main` listen for signals: `run(listener, shutdown, deps)`.",
        check: Check::File(environment::edge),
    },
    Rule {
        name: "lint-reason",
        why: "An allowed lint says why, so that the next reader can judge whether it still holds.",
        check: Check::File(attributes::reasons),
    },
    Rule {
        name: "unfinished",
        why: "A thing not done is not in the code; what is missing is said in the docs.",
        check: Check::File(attributes::unfinished),
    },
    Rule {
        name: "machine-path",
        why: "A path of one machine is wrong on every other.",
        check: Check::File(places::machine_paths),
    },
    Rule {
        name: "direction",
        why: "Each crate depends only on those that ARCHITECTURE.md allows it.",
        check: Check::Crates(directions::between_crates),
    },
    Rule {
        name: "driver",
        why: "Drivers of servers and runtimes have one owner each, so that the rest never depends on one.",
        check: Check::Crates(directions::owned_packages),
    },
    Rule {
        name: "collector-tree",
        why: "The collector is a small, quick function: it links neither the store nor the queries.",
        check: Check::Crates(directions::collector_tree),
    },
    Rule {
        name: "banned-package",
        why: "One TLS stack (rustls on aws-lc) is audited, built and shipped; a second one hides in a feature.",
        check: Check::Crates(packages::banned),
    },
    Rule {
        name: "licence",
        why: "What is linked may be given on under the project's own licence.",
        check: Check::Crates(packages::licences),
    },
    Rule {
        name: "source",
        why: "Every package comes from the registry that the lock file's hashes are for.",
        check: Check::Crates(packages::sources),
    },
];

/// Prints what the rules are for.
pub(crate) fn print_rules() {
    for rule in RULES {
        println!("{:<15} {}", rule.name, rule.why);
    }
}

/// Checks every rule and prints each finding.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let mut files = Vec::new();
    for path in workspace.files()? {
        let bytes =
            std::fs::read(workspace.root().join(&path)).map_err(Failure::io(format!("read {}", path.display())))?;
        // What is not text has no lines and no words to judge.
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(SourceFile::new(path, text));
        }
    }
    let mut broken = 0;
    for rule in RULES {
        let findings = match rule.check {
            Check::File(check) => files.iter().flat_map(check).collect(),
            Check::Crates(check) => check(workspace)?,
        };
        broken += findings.len();
        for Finding { path, line, message } in findings {
            let place = if line == 0 { String::new() } else { format!(":{line}") };
            println!("{}{place}: {}: {message}", path.display(), rule.name);
        }
    }
    if broken > 0 {
        return Err(Failure::Tidy(broken));
    }
    println!("{} rules hold over {} files", RULES.len(), files.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_have_names_of_their_own_and_reasons() {
        let names: std::collections::BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), RULES.len());
        assert!(RULES.iter().all(|rule| rule.why.ends_with('.')));
    }
}
