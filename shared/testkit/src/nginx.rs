//! An nginx of a test's own, over the configuration that is deployed.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::folder::ServerFolder;
use crate::postgres::servers_folder;
use crate::process::{Blow, ServerProcess, run};
use crate::{Result, TestkitError};

const START_LIMIT: Duration = Duration::from_secs(20);

/// The master and its workers, ended when dropped.
#[derive(Debug)]
pub struct NginxServer {
    process: ServerProcess,
    authority: Vec<u8>,
    // Last: the folder goes after the process.
    _folder: ServerFolder,
}

impl NginxServer {
    /// Starts nginx over a copy of the folder `configuration`, and waits until it listens on `address`.
    ///
    /// `changes` are texts of the configuration and what stands in their places: ports, addresses. A certificate of
    /// `localhost` is made for it.
    ///
    /// # Errors
    /// Where nginx is not installed, a text to be changed is nowhere, or it does not come up.
    pub fn start(configuration: &Path, changes: &[(String, String)], address: SocketAddr) -> Result<Self> {
        let program = servers_folder().join("python-deploy/bin/nginx");
        if !program.exists() {
            return Err(TestkitError::NotInstalled { program: "nginx", looked_for: program });
        }
        let folder = ServerFolder::create("nginx")?;
        let own = ("/tmp/nginx".to_owned(), folder.path().join("nginx").display().to_string());
        let changes: Vec<&(String, String)> = changes.iter().chain([&own]).collect();
        copy(configuration, folder.path(), &changes)?;
        if let Some((text, _)) = changes.iter().find(|change| !holds(configuration, &change.0)) {
            let detail = format!("{text:?} is nowhere in {}", configuration.display());
            return Err(TestkitError::Failed { program: "nginx".to_owned(), detail });
        }
        let authority = certificates(folder.path())?;
        let log = folder.path().join("server.log");
        // Asked to stop where this process dies: a killed master would leave its workers behind.
        let mut process = ServerProcess::start(&program, &log, Blow::Quit, None, |command| {
            command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-g", "daemon off;"]);
        })?;
        process.wait_until(START_LIMIT, || {
            TcpStream::connect_timeout(&address, Duration::from_millis(200)).map(|_| true)
        })?;
        Ok(Self { process, authority, _folder: folder })
    }

    /// Who signed its certificate, as PEM: whoever trusts it trusts the server.
    #[must_use]
    pub fn authority(&self) -> &[u8] {
        &self.authority
    }

    /// What it has logged: requests and errors.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}

impl Drop for NginxServer {
    fn drop(&mut self) {
        self.process.send(Blow::Terminate);
        let _ = self.process.wait(Duration::from_secs(5));
    }
}

/// Copies a folder with `changes` made in every file of it.
fn copy(from: &Path, to: &Path, changes: &[&(String, String)]) -> Result<()> {
    for path in entries(from)? {
        let name = path.file_name().map(PathBuf::from).unwrap_or_default();
        let target = to.join(name);
        if path.is_dir() {
            std::fs::create_dir(&target).map_err(TestkitError::io(format!("make {}", target.display())))?;
            copy(&path, &target, changes)?;
            continue;
        }
        let text = std::fs::read_to_string(&path).map_err(TestkitError::io(format!("read {}", path.display())))?;
        let text = changes.iter().fold(text, |text, (old, new)| text.replace(old.as_str(), new));
        std::fs::write(&target, text).map_err(TestkitError::io(format!("write {}", target.display())))?;
    }
    Ok(())
}

/// Whether a text stands in some file of a folder.
fn holds(folder: &Path, text: &str) -> bool {
    entries(folder).unwrap_or_default().iter().any(|path| {
        if path.is_dir() {
            holds(path, text)
        } else {
            std::fs::read_to_string(path).is_ok_and(|file| file.contains(text))
        }
    })
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("list {}", folder.display());
    let entries = std::fs::read_dir(folder).map_err(TestkitError::io(cannot()))?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(TestkitError::io(cannot()))).collect()
}

/// Makes `tls/tls.crt` and `tls/tls.key`, and gives back who signed them.
fn certificates(folder: &Path) -> Result<Vec<u8>> {
    let tls = folder.join("tls");
    std::fs::create_dir(&tls).map_err(TestkitError::io(format!("make {}", tls.display())))?;
    let names = "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
    std::fs::write(tls.join("names"), names).map_err(TestkitError::io("write the names of a certificate"))?;
    let pair = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    for arguments in [
        format!("req -x509 -days 2 {pair} -subj /CN=authority -keyout ca.key -out ca.pem"),
        format!("req {pair} -subj /CN=localhost -keyout tls.key -out tls.csr"),
        "x509 -req -days 2 -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -out tls.crt".to_owned(),
    ] {
        run(Command::new("openssl").current_dir(&tls).args(arguments.split(' ')))?;
    }
    std::fs::read(tls.join("ca.pem")).map_err(TestkitError::io("read the certificate that was made"))
}
