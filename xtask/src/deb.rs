//! Debian packages of the programs, their units and their settings.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::command::Command;
use crate::failure::Failure;
use crate::workspace::Workspace;

/// A package: its folder in `deploy/debian`, and what it puts where.
struct Package {
    name: &'static str,
    /// Programs with the folder that they go to.
    programs: &'static [(&'static str, &'static str)],
    units: &'static [&'static str],
    /// A sample of settings, which only root may read.
    settings: &'static str,
    pages: &'static [&'static str],
}

const PACKAGES: [Package; 2] = [
    Package {
        name: "analytics",
        programs: &[("analytics", "usr/bin")],
        units: &["analytics.service"],
        settings: "analytics.env",
        pages: &["backup.md", "configuration.md", "contract.md", "deploy-systemd.md", "operations.md", "security.md"],
    },
    Package {
        name: "analytics-roles",
        programs: &[
            ("collector", "usr/lib/analytics"),
            ("processor", "usr/lib/analytics"),
            ("api", "usr/lib/analytics"),
            ("realtime", "usr/lib/analytics"),
        ],
        units: &[
            "analytics-collector.service",
            "analytics-processor.service",
            "analytics-api.service",
            "analytics-realtime.service",
        ],
        settings: "roles.env",
        pages: &[],
    },
];

/// What dpkg runs, and what it is told.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Makes both packages of the programs in `programs`, and returns where they are: in `folder`.
pub(crate) fn make(workspace: &Workspace, programs: &Path, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let said = |program: &str, arguments: &[&str]| {
        Ok(Command::new(workspace, program).arguments(arguments.iter().copied()).output()?.trim().to_owned())
    };
    let architecture = said("dpkg", &["--print-architecture"])?;
    // The programs may use what this machine's C library has, and older ones have not.
    let libc = said("dpkg-query", &["--show", "--showformat", "${Version}", "libc6"])?;
    let libc = libc.split('-').next().unwrap_or_default().to_owned();
    let mut made = Vec::new();
    for package in &PACKAGES {
        let stage = folder.join(package.name);
        if stage.exists() {
            fs::remove_dir_all(&stage).map_err(Failure::io(format!("empty {}", stage.display())))?;
        }
        let mut tree = Tree { root: stage.clone(), bytes: 0 };
        fill(workspace, package, programs, &mut tree)?;
        let control = read(&workspace.root().join("deploy/debian").join(package.name).join("control"))?;
        let control = control
            .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
            .replace("@ARCHITECTURE@", &architecture)
            .replace("@LIBC@", &libc)
            .replace("@SIZE@", &tree.bytes.div_ceil(1024).to_string());
        tree.put("DEBIAN/control", control.as_bytes(), 0o644)?;
        let file = folder.join(format!("{}_{}_{architecture}.deb", package.name, env!("CARGO_PKG_VERSION")));
        Command::new(workspace, "dpkg-deb")
            .arguments(["--root-owner-group".into(), "--build".into(), stage.into_os_string(), file.clone().into()])
            .output()?;
        made.push(file);
    }
    Ok(made)
}

/// Lays out all but the control file.
fn fill(workspace: &Workspace, package: &Package, programs: &Path, tree: &mut Tree) -> Result<(), Failure> {
    let root = workspace.root();
    for (program, place) in package.programs {
        tree.copy(&programs.join(program), &format!("{place}/{program}"), 0o755)?;
    }
    for unit in package.units {
        tree.copy(&root.join("deploy/systemd").join(unit), &format!("usr/lib/systemd/system/{unit}"), 0o644)?;
    }
    let settings = package.settings;
    tree.copy(&root.join("deploy/systemd").join(settings), &format!("etc/analytics/{settings}"), 0o600)?;
    let pages = format!("usr/share/doc/{}", package.name);
    for page in package.pages {
        tree.copy(&root.join("docs").join(page), &format!("{pages}/{page}"), 0o644)?;
    }
    let own = root.join("deploy/debian").join(package.name);
    tree.copy(&own.join("copyright"), &format!("{pages}/copyright"), 0o644)?;
    tree.copy(&own.join("conffiles"), "DEBIAN/conffiles", 0o644)?;
    SCRIPTS.iter().try_for_each(|script| tree.copy(&own.join(script), &format!("DEBIAN/{script}"), 0o755))
}

/// The files of a package, laid out.
struct Tree {
    root: PathBuf,
    bytes: u64,
}

impl Tree {
    fn copy(&mut self, from: &Path, to: &str, mode: u32) -> Result<(), Failure> {
        let content = fs::read(from).map_err(Failure::io(format!("read {}", from.display())))?;
        self.put(to, &content, mode)
    }

    fn put(&mut self, to: &str, content: &[u8], mode: u32) -> Result<(), Failure> {
        let path = self.root.join(to);
        let cannot = || format!("write {}", path.display());
        let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(Failure::io(cannot()))?;
        // Whatever the umask of whoever builds: these are the modes of folders that others have as well.
        for above in folder.ancestors().take_while(|above| above.starts_with(&self.root)) {
            set(above, 0o755).map_err(Failure::io(cannot()))?;
        }
        fs::write(&path, content).and_then(|()| set(&path, mode)).map_err(Failure::io(cannot()))?;
        self.bytes += content.len() as u64;
        Ok(())
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(Failure::io(format!("read {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(workspace: &Workspace, arguments: &[&str]) -> String {
        Command::new(workspace, "dpkg-deb").arguments(arguments.iter().copied()).output().unwrap()
    }

    #[test]
    fn the_packages_hold_what_an_installation_needs() {
        let workspace = Workspace::find().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let programs = folder.path().join("programs");
        fs::create_dir(&programs).unwrap();
        for (program, _) in PACKAGES.iter().flat_map(|package| package.programs) {
            fs::write(programs.join(program), "no program").unwrap();
        }
        let made = make(&workspace, &programs, &folder.path().join("made")).unwrap();
        let [single, roles] = [0, 1].map(|index| made[index].to_str().unwrap());
        let listed = said(&workspace, &["--contents", single]);
        for (mode, path) in [
            ("-rwxr-xr-x root/root", "./usr/bin/analytics"),
            ("-rw-r--r-- root/root", "./usr/lib/systemd/system/analytics.service"),
            ("-rw------- root/root", "./etc/analytics/analytics.env"),
            ("drwxr-xr-x root/root", "./usr/"),
            ("-rw-r--r-- root/root", "./usr/share/doc/analytics/backup.md"),
        ] {
            let there = listed.lines().any(|line| line.starts_with(mode) && line.ends_with(&format!(" {path}")));
            assert!(there, "{mode} {path}: {listed}");
        }
        let control = said(&workspace, &["--info", single]);
        assert!(
            control.contains(&format!("Version: {}", env!("CARGO_PKG_VERSION"))) && !control.contains('@'),
            "{control}"
        );
        let listed = said(&workspace, &["--contents", roles]);
        for role in ["collector", "processor", "api", "realtime"] {
            assert!(listed.contains(&format!(" ./usr/lib/analytics/{role}\n")), "{listed}");
            assert!(listed.contains(&format!("/analytics-{role}.service\n")), "{listed}");
        }
        assert!(said(&workspace, &["--info", roles]).contains("Depends: analytics (= "));
    }
}
