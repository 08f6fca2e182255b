//! Rules about which crate may depend on which.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::packages::{linked, workspace_manifests};
use super::{Finding, Findings};
use crate::failure::Failure;
use crate::workspace::Workspace;

const PREFIX: &str = "analytics";

/// Which crates of the workspace each may depend on; the table of ARCHITECTURE.md. Tools may depend on anything.
const ALLOWED: &[(&str, &[&str])] = &[
    ("analytics-domain", &[]),
    ("analytics-columns", &["analytics-domain"]),
    ("analytics-query", &["analytics-columns", "analytics-domain"]),
    ("analytics-messaging", &["analytics-domain"]),
    ("analytics-store", &["analytics-columns", "analytics-domain", "analytics-query"]),
    ("analytics-host", &["analytics-domain"]),
    ("analytics-access", &["analytics-domain", "analytics-host", "analytics-store"]),
    ("analytics-testkit", &["analytics-domain", "analytics-query"]),
    ("analytics-collector", &["analytics-domain", "analytics-host", "analytics-messaging"]),
    (
        "analytics-api",
        &[
            "analytics-access",
            "analytics-domain",
            "analytics-host",
            "analytics-messaging",
            "analytics-query",
            "analytics-store",
        ],
    ),
    ("analytics-worker", &["analytics-domain", "analytics-host", "analytics-messaging", "analytics-store"]),
    (
        "analytics-realtime",
        &[
            "analytics-access",
            "analytics-domain",
            "analytics-host",
            "analytics-messaging",
            "analytics-query",
            "analytics-store",
        ],
    ),
    (
        "analytics",
        &[
            "analytics-access",
            "analytics-api",
            "analytics-collector",
            "analytics-domain",
            "analytics-host",
            "analytics-messaging",
            "analytics-query",
            "analytics-realtime",
            "analytics-store",
            "analytics-worker",
        ],
    ),
];

/// Crates that ship nothing.
const TOOLS: &[&str] = &["xtask", "analytics-bench", "analytics-ledger", "analytics-blackbox"];

/// Only for tests of other crates.
const FOR_TESTS: &str = "analytics-testkit";

/// Packages with one owner each.
const OWNED: &[(&str, &[&str])] = &[
    ("analytics-messaging", &["redis", "rusqlite", "aws-config", "aws-sdk-sqs"]),
    ("analytics-store", &["sqlx"]),
    (
        "analytics-host",
        &[
            "aws_lambda_events",
            "lambda_http",
            "lambda_runtime",
            "lambda_runtime_api_client",
            "tracing-subscriber",
            "metrics-exporter-prometheus",
            "metrics-util",
        ],
    ),
];

/// What pure crates must not name.
const IMPURE: &[&str] = &["tokio", "tokio-util", "axum", "sqlx", "redis", "rusqlite", "hyper", "reqwest"];
const PURE: &[&str] = &["analytics-domain", "analytics-query"];

/// What the collector must not link.
const NOT_IN_COLLECTOR: &[&str] = &["analytics-store", "analytics-query", "sqlx", "sqlx-core"];

/// A crate of the workspace, as `cargo metadata` tells it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Manifest {
    pub(super) name: String,
    pub(super) manifest_path: PathBuf,
    pub(super) dependencies: Vec<Dependency>,
}

/// A line of its dependencies.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// None: normal; else `dev` or `build`.
    pub(super) kind: Option<String>,
}

impl Dependency {
    fn is_for_tests(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

/// Crates of the workspace name only those that they may.
pub(super) fn between_crates(workspace: &Workspace) -> Result<Findings, Failure> {
    Ok(judge_directions(&workspace_manifests(workspace)?))
}

fn judge_directions(manifests: &[Manifest]) -> Findings {
    let members: BTreeSet<&str> = manifests.iter().map(|manifest| manifest.name.as_str()).collect();
    let mut findings = Vec::new();
    for manifest in manifests.iter().filter(|manifest| !TOOLS.contains(&manifest.name.as_str())) {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == manifest.name) else {
            let message =
                format!("`{}` is not in the table of directions in xtask/src/tidy/directions.rs", manifest.name);
            findings.push(Finding::new(&manifest.manifest_path, 0, message));
            continue;
        };
        for dependency in &manifest.dependencies {
            let name = dependency.name.as_str();
            let ours = members.contains(name) || name.starts_with(PREFIX);
            let for_tests = dependency.is_for_tests() && (name == FOR_TESTS || name == "analytics-query");
            if ours && !allowed.contains(&name) && !for_tests {
                let message = format!("`{}` must not depend on `{name}`", manifest.name);
                findings.push(Finding::new(&manifest.manifest_path, 0, message));
            }
        }
    }
    findings
}

/// Drivers are named by their owners only, and by no pure crate.
pub(super) fn owned_packages(workspace: &Workspace) -> Result<Findings, Failure> {
    Ok(judge_owners(&workspace_manifests(workspace)?))
}

fn judge_owners(manifests: &[Manifest]) -> Findings {
    let mut findings = Vec::new();
    for manifest in manifests.iter().filter(|manifest| !TOOLS.contains(&manifest.name.as_str())) {
        for dependency in &manifest.dependencies {
            let name = dependency.name.as_str();
            let owner = OWNED.iter().find(|(_, packages)| packages.contains(&name)).map(|(owner, _)| *owner);
            if let Some(owner) = owner.filter(|owner| *owner != manifest.name) {
                let message = format!("`{name}` belongs to `{owner}`, so `{}` must not name it", manifest.name);
                findings.push(Finding::new(&manifest.manifest_path, 0, message));
            } else if PURE.contains(&manifest.name.as_str()) && IMPURE.contains(&name) && !dependency.is_for_tests() {
                let message = format!("`{}` is pure and must not name `{name}`", manifest.name);
                findings.push(Finding::new(&manifest.manifest_path, 0, message));
            }
        }
    }
    findings
}

/// The collector's program holds no store.
pub(super) fn collector_tree(workspace: &Workspace) -> Result<Findings, Failure> {
    let packages = linked(workspace, &["--package", "analytics-collector", "--edges", "normal"])?;
    let names: Vec<_> = packages.iter().map(|package| package.name.as_str()).collect();
    Ok(judge_collector(&names))
}

fn judge_collector(names: &[&str]) -> Findings {
    let manifest = Path::new("functions/collector/Cargo.toml");
    let found = NOT_IN_COLLECTOR.iter().filter(|name| names.contains(name));
    found.map(|name| Finding::new(manifest, 0, format!("the collector must not link `{name}`"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, dependencies: &[(&str, Option<&str>)]) -> Manifest {
        let dependency = |(name, kind): &(&str, Option<&str>)| Dependency {
            name: (*name).to_owned(),
            kind: kind.map(ToOwned::to_owned),
        };
        Manifest {
            name: name.to_owned(),
            manifest_path: format!("{name}/Cargo.toml").into(),
            dependencies: dependencies.iter().map(dependency).collect(),
        }
    }

    #[test]
    fn a_wrong_direction_is_found() {
        let wrong = [
            manifest("analytics-domain", &[("analytics-host", None)]),
            manifest("analytics-worker", &[("analytics-collector", None)]),
            manifest("analytics-api", &[("analytics-realtime", Some("dev"))]),
            manifest("analytics-store", &[("analytics-testkit", None)]),
            manifest("analytics-host", &[("xtask", None)]),
            manifest("analytics-novelty", &[]),
            manifest("xtask", &[]),
        ];
        assert_eq!(judge_directions(&wrong).len(), 6, "{:#?}", judge_directions(&wrong));
        let right = [
            manifest(
                "analytics-store",
                &[("analytics-testkit", Some("dev")), ("analytics-query", None), ("sqlx", None)],
            ),
            manifest("analytics-bench", &[("analytics-worker", None)]),
        ];
        assert_eq!(judge_directions(&right), []);
    }

    #[test]
    fn a_driver_in_foreign_hands_is_found() {
        let wrong = [
            manifest("analytics-api", &[("redis", None), ("sqlx", Some("dev"))]),
            manifest("analytics-worker", &[("metrics-exporter-prometheus", None)]),
            manifest("analytics-domain", &[("tokio", None)]),
        ];
        assert_eq!(judge_owners(&wrong).len(), 4, "{:#?}", judge_owners(&wrong));
        let right = [
            manifest("analytics-messaging", &[("redis", None), ("rusqlite", None)]),
            manifest("analytics-query", &[("tokio", Some("dev"))]),
        ];
        assert_eq!(judge_owners(&right), []);
    }

    #[test]
    fn a_store_in_the_collector_is_found() {
        assert_eq!(judge_collector(&["axum", "analytics-store", "sqlx"]).len(), 2);
        assert_eq!(judge_collector(&["axum", "redis"]), []);
    }
}
