//! Puts the script of web pages where `src/tracker.rs` takes it from: built of `sdk/browser` where Node is there, else as it
//! was built there before, else one that says in the console how to build it. Never fails a build.
#![allow(clippy::print_stdout, reason = "cargo reads what a build script prints")]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, io};

/// The oldest Node that the tools of `sdk/browser` run on.
const NODE: u32 = 18;

/// What a page gets where there is no script.
const MISSING: &str = "console.warn('analytics: this server was built without its tracker, so nothing is sent. Install Node 18 or \
                       newer with npm where it is built, or run `npm ci && npm run build` in sdk/browser, and build it again.');\n";

const SCRIPT: &str = "tracker.js";
const PACKED: &str = "tracker.js.gz";

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/browser");
    for name in ["src", "build.mjs", "package.json", "package-lock.json"] {
        follow(&sdk.join(name));
    }
    follow(&Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs"));
    let Err(reason) = build(&sdk, &out) else { return Ok(()) };
    let dist = sdk.join("dist");
    if [SCRIPT, PACKED].iter().all(|name| fs::copy(dist.join(name), out.join(name)).is_ok()) {
        follow(&dist.join(SCRIPT));
        return Ok(());
    }
    println!("cargo:warning=/tracker.js only tells how to build it: {reason}");
    // Something may be put there.
    follow(&sdk);
    fs::write(out.join(PACKED), "")?;
    fs::write(out.join(SCRIPT), MISSING)
}

/// Has cargo run this again when `path` changes. What is not there is not named: cargo would run this every time.
fn follow(path: &Path) {
    if path.exists() {
        println!("cargo:rerun-if-changed={}", path.display());
    }
}

/// Builds the script into `out`, or says why that cannot be.
fn build(sdk: &Path, out: &Path) -> Result<(), String> {
    let lock = sdk.join("package-lock.json");
    let held = File::open(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    let version = run(Command::new("node").arg("--version"))?;
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE) {
        return Err(format!("node is {}, and {NODE} or newer is needed", version.trim()));
    }
    // Two builds at once, an editor's and a person's, must not install over each other.
    held.lock().map_err(|error| error.to_string())?;
    if !is_newer(&sdk.join("node_modules/.package-lock.json"), &lock) {
        let quiet = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1"];
        run(Command::new("npm").args(quiet).current_dir(sdk))?;
    }
    run(Command::new("node").args([OsStr::new("build.mjs"), OsStr::new("--out"), out.as_os_str()]).current_dir(sdk))?;
    Ok(())
}

fn is_newer(path: &Path, than: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    matches!((changed(path), changed(than)), (Some(path), Some(than)) if path >= than)
}

/// Runs a program and gives what it writes; what it says of a failure, shortened to a line, is the error.
fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{name} cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(format!("{name} failed ({}): {line}", output.status))
}
