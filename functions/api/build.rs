//! Puts what browsers load where `src/tracker.rs` and `src/dashboard.rs` take it from: built of `sdk/browser` and `dashboard` where
//! Node is there, else as it was built there before, else a word that says how to build it. Never fails a build.
#![allow(clippy::print_stdout, reason = "cargo reads what a build script prints")]

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, io};

/// The oldest Node that the tools run on.
const NODE: u32 = 18;

/// What a web page gets where there is no script.
const NO_SCRIPT: &str = "console.warn('analytics: this server was built without its tracker, so nothing is sent. Install Node 18 \
                         or newer with npm where it is built, or run `npm ci && npm run build` in sdk/browser, and build it \
                         again.');\n";

/// What a person gets where there is no page.
const NO_PAGE: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>analytics</title>\n<h1>analytics</h1>\n\
                       <p>This server was built without its page. Install Node 18 or newer with npm where it is built, or run \
                       <code>npm ci &amp;&amp; npm run build</code> in <code>dashboard</code>, and build it again.</p>\n\
                       <p>Everything that the page shows can be asked: <a href=\"api/docs\">the routes</a>.</p>\n</html>\n";

const SCRIPT: &str = "tracker.js";
const PACKED: &str = "tracker.js.gz";

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    follow(&here.join("build.rs"));
    put_script(&here.join("../../sdk/browser"), &out)?;
    put_page(&here.join("../../dashboard"), &out)
}

/// Has cargo run this again when `path` changes. What is not there is not named: cargo would run this every time.
fn follow(path: &Path) {
    if path.exists() {
        println!("cargo:rerun-if-changed={}", path.display());
    }
}

/// The script of web pages, plain and packed; no packed one where there is only the word that it is missing.
fn put_script(sdk: &Path, out: &Path) -> io::Result<()> {
    for name in ["src", "build.mjs", "package.json", "package-lock.json"] {
        follow(&sdk.join(name));
    }
    let Err(reason) = build(sdk, out) else { return Ok(()) };
    let dist = sdk.join("dist");
    if [SCRIPT, PACKED].iter().all(|name| fs::copy(dist.join(name), out.join(name)).is_ok()) {
        follow(&dist.join(SCRIPT));
        return Ok(());
    }
    println!("cargo:warning=/tracker.js only tells how to build it: {reason}");
    // Something may be put there.
    follow(sdk);
    fs::write(out.join(PACKED), "")?;
    fs::write(out.join(SCRIPT), NO_SCRIPT)
}

/// The page and everything that it loads, and a list of these files for `src/dashboard.rs`.
fn put_page(dashboard: &Path, out: &Path) -> io::Result<()> {
    for name in
        ["src", "index.html", "build.mjs", "vite.config.mjs", "tsconfig.json", "package.json", "package-lock.json"]
    {
        follow(&dashboard.join(name));
    }
    let built = out.join("dashboard");
    let list = match build(dashboard, &built) {
        Ok(()) => listed(&built),
        Err(reason) => {
            let dist = dashboard.join("dist");
            follow(&dist.join("index.html"));
            listed(&dist).inspect_err(|_| {
                println!("cargo:warning=the page at / only tells how to build it: {reason}");
                follow(dashboard);
            })
        }
    };
    let list = list.or_else(|_| {
        fs::create_dir_all(&built)?;
        fs::write(built.join("index.html"), NO_PAGE)?;
        asset("index.html", &built.join("index.html")).map(|asset| format!("&[\n{asset}]\n"))
    })?;
    fs::write(out.join("dashboard.rs"), list)
}

/// The files of a page that was built into `folder`, as an expression of `src/dashboard.rs`: the page itself first.
fn listed(folder: &Path) -> io::Result<String> {
    let mut list = format!("&[\n{}", asset("index.html", &folder.join("index.html"))?);
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder.join("assets"))? {
        paths.push(entry?.path());
    }
    paths.sort();
    for path in paths {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        if kind(name).is_some() {
            list.push_str(&asset(&format!("assets/{name}"), &path)?);
        }
    }
    Ok(list + "]\n")
}

/// A file and its packed forms as an expression; a form that is no smaller is left out.
fn asset(name: &str, path: &Path) -> io::Result<String> {
    let path = path.canonicalize()?;
    let size = fs::metadata(&path)?.len();
    let kind = kind(name).unwrap_or("application/octet-stream");
    let mut text = format!("    Asset {{ name: {name:?}, kind: {kind:?}, plain: include_bytes!({path:?})");
    for (form, ending) in [("gzip", "gz"), ("brotli", "br")] {
        let packed = PathBuf::from(format!("{}.{ending}", path.display()));
        let is_smaller = fs::metadata(&packed).is_ok_and(|metadata| metadata.len() < size);
        let bytes = if is_smaller { format!("include_bytes!({packed:?})") } else { "&[]".to_owned() };
        let _ = write!(text, ", {form}: {bytes}");
    }
    Ok(text + " },\n")
}

/// The media type of a file by its name; none of a packed form.
fn kind(name: &str) -> Option<&'static str> {
    match name.rsplit('.').next() {
        Some("html") => Some("text/html; charset=utf-8"),
        Some("js") => Some("text/javascript; charset=utf-8"),
        Some("css") => Some("text/css; charset=utf-8"),
        Some("svg") => Some("image/svg+xml"),
        _ => None,
    }
}

/// Builds what is in `folder` into `out`, or says why that cannot be.
fn build(folder: &Path, out: &Path) -> Result<(), String> {
    let lock = folder.join("package-lock.json");
    let held = File::open(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    let version = run(Command::new("node").arg("--version"))?;
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE) {
        return Err(format!("node is {}, and {NODE} or newer is needed", version.trim()));
    }
    // Two builds at once, an editor's and a person's, must not install over each other.
    held.lock().map_err(|error| error.to_string())?;
    if !is_newer(&folder.join("node_modules/.package-lock.json"), &lock) {
        let quiet = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1"];
        run(Command::new("npm").args(quiet).current_dir(folder))?;
    }
    run(Command::new("node")
        .args([OsStr::new("build.mjs"), OsStr::new("--out"), out.as_os_str()])
        .current_dir(folder))?;
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
