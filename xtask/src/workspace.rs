//! The folder that the chores work on.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Folders that hold nothing of the project's own writing.
const FOREIGN_FOLDERS: &[&str] = &["target", "node_modules", "data", "dist", ".aws-sam", "__pycache__"];

/// The workspace's root.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The workspace that this program was built from.
    pub(crate) fn find() -> Result<Self, Failure> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let here = manifest.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = here.parent().filter(|root| root.join("Cargo.toml").exists());
        let missing = || Failure::Unexpected(format!("no workspace around {}", here.display()));
        Ok(Self { root: root.ok_or_else(missing)?.to_owned() })
    }

    /// A workspace at `root`.
    #[cfg(test)]
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Its folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The project's own files, relative to the root, sorted; without what cargo, npm and git keep there.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>, Failure> {
        let mut found = Vec::new();
        let mut open = vec![PathBuf::new()];
        while let Some(folder) = open.pop() {
            let full = self.root.join(&folder);
            let cannot = || format!("list {}", full.display());
            for entry in std::fs::read_dir(&full).map_err(Failure::io(cannot()))? {
                let entry = entry.map_err(Failure::io(cannot()))?;
                let name = entry.file_name();
                let name_text = name.to_string_lossy();
                let kind = entry.file_type().map_err(Failure::io(cannot()))?;
                if kind.is_dir() {
                    let nested_data = name_text == "data" && folder != Path::new("");
                    if name_text != ".git" && (nested_data || !FOREIGN_FOLDERS.contains(&name_text.as_ref())) {
                        open.push(folder.join(&name));
                    }
                } else if kind.is_file() {
                    found.push(folder.join(&name));
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_folders_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["target/a.rs", ".git/b", "src/c.rs", "src/data/d.json", "data/e", ".ci/run", "web/node_modules/f"]
        {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let files = Workspace::at(folder.path()).files().unwrap();
        let names: Vec<_> = files.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(names, [".ci/run", "src/c.rs", "src/data/d.json"]);
    }
}
