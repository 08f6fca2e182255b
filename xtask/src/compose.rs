//! docker-compose.yml, brought up for real on this machine.

use std::path::{Path, PathBuf};

use crate::command::Command;
use crate::failure::Failure;
use crate::steps;
use crate::workspace::Workspace;

/// Where the programs of the images come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Programs {
    /// Built here, and put into the final stages.
    Outside,
    /// Built in the image, by the whole Dockerfile.
    InImage,
    /// There already, in a folder.
    Folder(PathBuf),
}

/// Installs an engine, makes the images and asks the running deployment for what it promises.
pub(crate) fn check(workspace: &Workspace, programs: &Programs, keep: bool) -> Result<(), Failure> {
    Command::new(workspace, "bash").arguments(["scripts/docker-setup"]).run()?;
    let servers = Command::new(workspace, "bash").arguments(["scripts/servers-folder"]).output()?;
    let servers = Path::new(servers.trim());
    let tools = steps::deployment_tools(workspace)?;
    let mut arguments =
        vec!["-B".into(), "deploy/docker/check".into(), "--servers".into(), servers.as_os_str().to_owned()];
    arguments.extend(["--folder".into(), servers.join("docker").into_os_string()]);
    arguments.extend(["--tools".into(), tools.clone().into_os_string()]);
    match programs {
        Programs::Outside => {
            steps::build(workspace)?;
            let programs = steps::target(workspace).join("debug");
            arguments.extend(["--programs".into(), programs.into_os_string()]);
        }
        Programs::InImage => arguments.push("--build".into()),
        Programs::Folder(folder) => arguments.extend(["--programs".into(), folder.clone().into_os_string()]),
    }
    arguments.extend(keep.then(|| "--keep".into()));
    Command::new(workspace, tools.join("python")).arguments(arguments).run()
}
