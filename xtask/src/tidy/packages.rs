//! Rules about packages from elsewhere: which are linked, under which licence, from where.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use super::directions::Manifest;
use super::{Finding, Findings};
use crate::command::Command;
use crate::failure::Failure;
use crate::workspace::Workspace;

/// Second TLS stacks.
const BANNED: &[&str] = &["ring", "openssl", "openssl-sys", "native-tls", "boring", "mbedtls", "aws-lc-fips-sys"];

/// Licences that ask for no more than their own text.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    // Mozilla's list of root certificates, as data.
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

const LOCK: &str = "Cargo.lock";

/// A package that is linked into something of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Package {
    pub(super) name: String,
    /// What follows name and version: a folder or a repository in brackets; empty for the registry.
    origin: String,
    /// An SPDX expression; empty where none is given.
    licence: String,
}

impl Package {
    /// Reads a line `name v1.2.3 (origin)|licence`.
    fn read(line: &str) -> Option<Self> {
        let (package, licence) = line.rsplit_once('|')?;
        let mut words = package.splitn(3, ' ');
        let name = words.next()?.to_owned();
        words.next()?;
        let origin = words.next().unwrap_or_default().replace("(proc-macro)", "");
        Some(Self { name, origin: origin.trim().to_owned(), licence: licence.to_owned() })
    }
}

/// What `cargo tree` with these arguments names: the packages that are really linked, with their features resolved.
pub(super) fn linked(workspace: &Workspace, arguments: &[&str]) -> Result<BTreeSet<Package>, Failure> {
    let tree = Command::cargo(workspace)
        .arguments(["tree", "--prefix", "none", "--format", "{p}|{l}", "--no-dedupe", "--color", "never"])
        .arguments(arguments.iter().copied())
        .output()?;
    Ok(tree.lines().filter_map(Package::read).collect())
}

fn everything(workspace: &Workspace) -> Result<BTreeSet<Package>, Failure> {
    linked(workspace, &["--workspace", "--edges", "normal,build,dev"])
}

/// The workspace's own manifests, with paths relative to the root.
pub(super) fn workspace_manifests(workspace: &Workspace) -> Result<Vec<Manifest>, Failure> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Manifest>,
    }
    let text = Command::cargo(workspace).arguments(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: Metadata = serde_json::from_str(&text)
        .map_err(|error| Failure::Unexpected(format!("`cargo metadata` cannot be read: {error}")))?;
    let mut manifests = metadata.packages;
    for manifest in &mut manifests {
        if let Ok(relative) = manifest.manifest_path.strip_prefix(workspace.root()) {
            manifest.manifest_path = relative.to_owned();
        }
    }
    Ok(manifests)
}

/// No second TLS stack is linked.
pub(super) fn banned(workspace: &Workspace) -> Result<Findings, Failure> {
    Ok(judge_names(&everything(workspace)?))
}

fn judge_names(packages: &BTreeSet<Package>) -> Findings {
    let found = packages.iter().filter(|package| BANNED.contains(&package.name.as_str()));
    let message = |package: &Package| {
        let name = &package.name;
        format!("`{name}` is linked: `cargo tree --workspace -i {name}` says through which feature")
    };
    found.map(|package| Finding::new(Path::new(LOCK), 0, message(package))).collect()
}

/// Every licence is one that the project can live with.
pub(super) fn licences(workspace: &Workspace) -> Result<Findings, Failure> {
    Ok(judge_licences(&everything(workspace)?))
}

fn judge_licences(packages: &BTreeSet<Package>) -> Findings {
    let wrong = packages.iter().filter(|package| !is_allowed(&package.licence));
    let message = |package: &Package| {
        let licence = if package.licence.is_empty() { "no licence" } else { &package.licence };
        format!("`{}` has {licence}, of which none is in the list of xtask/src/tidy/packages.rs", package.name)
    };
    wrong.map(|package| Finding::new(Path::new(LOCK), 0, message(package))).collect()
}

/// Whether an SPDX expression can be fulfilled with [`LICENCES`].
///
/// `OR` binds weaker than `AND`; the old `/` means `OR`; a `WITH` exception only adds permissions.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let allowed = any(&mut words);
    allowed && words.next().is_none()
}

type Words<'a, 'b> = &'a mut std::iter::Peekable<std::str::SplitWhitespace<'b>>;

fn any(words: Words<'_, '_>) -> bool {
    let mut allowed = all(words);
    while words.next_if_eq(&"OR").is_some() {
        allowed |= all(words);
    }
    allowed
}

fn all(words: Words<'_, '_>) -> bool {
    let mut allowed = one(words);
    while words.next_if_eq(&"AND").is_some() {
        allowed &= one(words);
    }
    allowed
}

fn one(words: Words<'_, '_>) -> bool {
    match words.next() {
        Some("(") => {
            let allowed = any(words);
            words.next_if_eq(&")").is_some() && allowed
        }
        Some(licence) => {
            if words.next_if_eq(&"WITH").is_some() {
                words.next();
            }
            LICENCES.contains(&licence)
        }
        None => false,
    }
}

/// Every package comes from the registry or the workspace.
pub(super) fn sources(workspace: &Workspace) -> Result<Findings, Failure> {
    let root = workspace.root().to_string_lossy().into_owned();
    Ok(judge_sources(&everything(workspace)?, &root))
}

fn judge_sources(packages: &BTreeSet<Package>, root: &str) -> Findings {
    let foreign = |package: &&Package| {
        let origin = package.origin.trim_start_matches('(').trim_end_matches(')');
        !origin.is_empty() && !Path::new(origin).starts_with(root)
    };
    let message =
        |package: &Package| format!("`{}` comes from {}, not from the registry", package.name, package.origin);
    packages.iter().filter(foreign).map(|package| Finding::new(Path::new(LOCK), 0, message(package))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(lines: &[&str]) -> BTreeSet<Package> {
        lines.iter().map(|line| Package::read(line).unwrap()).collect()
    }

    #[test]
    fn a_second_tls_stack_is_found() {
        assert_eq!(
            judge_names(&packages(&["ring v0.17.1|MIT", "openssl-sys v0.9.0|MIT", "rustls v0.23.0|MIT"])).len(),
            2
        );
    }

    #[test]
    fn a_licence_that_asks_for_more_is_found() {
        assert_eq!(judge_licences(&packages(&["a v1.0.0|GPL-3.0-only", "b v1.0.0|", "c v1.0.0|MIT"])).len(), 2);
        for fine in [
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "GPL-3.0-only OR MIT",
            "(MIT OR GPL-3.0-only) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0-only",
            "MIT AND BSD-3-Clause",
        ] {
            assert!(is_allowed(fine), "{fine}");
        }
        for bad in ["MIT AND GPL-3.0-only", "MIT AND (GPL-3.0-only OR AGPL-3.0)", "", "(MIT", "MIT MIT"] {
            assert!(!is_allowed(bad), "{bad}");
        }
    }

    #[test]
    fn a_foreign_source_is_found() {
        let found = judge_sources(
            &packages(&[
                "a v1.0.0 (https://example.com/a#1234)|MIT",
                "b v1.0.0 (/project/shared/b)|MIT",
                "c v1.0.0 (/elsewhere/c)|MIT",
                "d v1.0.0 (proc-macro)|MIT",
                "e v1.0.0|MIT",
            ]),
            "/project",
        );
        let names: Vec<_> = found.iter().map(|finding| finding.message.split('`').nth(1).unwrap()).collect();
        assert_eq!(names, ["a", "c"]);
    }
}
