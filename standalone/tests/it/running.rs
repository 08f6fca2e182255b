//! A server, and commands beside it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use analytics_testkit::ports;
use analytics_testkit::role::{Role, RoleOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_analytics");

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Its output, where it ended with `code`.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    /// The row that an import says to go on with.
    pub fn continues_at(&self) -> u64 {
        let (_, after) = self.err.split_once("--from-row ").expect(&self.err);
        after.split_whitespace().next().unwrap().parse().unwrap()
    }
}

/// A command in `folder` that sees no variables but `PATH`.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).current_dir(folder).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// Runs a command to its end.
pub fn run(mut command: Command, input: &[u8]) -> Ran {
    let mut child = start(&mut command);
    let mut stdin = child.stdin.take().unwrap();
    // A command that does not read ends before all is written.
    let _ = stdin.write_all(input);
    drop(stdin);
    ended(child)
}

pub fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

pub fn ended(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// A loopback address where nothing listens.
pub fn nowhere() -> String {
    format!("http://127.0.0.1:{}", ports::free())
}

/// A server on an empty folder, and a folder for files.
pub struct Bench {
    pub server: Role,
    files: TempDir,
    client: reqwest::Client,
}

impl Bench {
    /// Starts it; all events are kept, however old.
    pub fn start() -> Self {
        Self::with(RoleOptions::new().variable("RETENTION_DAYS", "0"))
    }

    pub fn with(options: RoleOptions) -> Self {
        let server = Role::start(Path::new(PROGRAM), options).unwrap();
        Self { server, files: tempfile::tempdir().unwrap(), client: reqwest::Client::new() }
    }

    pub fn folder(&self) -> &Path {
        self.files.path()
    }

    /// Writes a file and returns where it is.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Runs a command against the server.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let url = self.server.url();
        run(command(self.folder(), &[arguments, &["--url", &url]].concat()), b"")
    }

    /// Writes a file and imports it.
    pub fn import(&self, name: &str, content: impl AsRef<[u8]>, options: &[&str]) -> Ran {
        self.file(name, content);
        self.run(&[&["import", name], options].concat())
    }

    /// The answer to a question over everything, once everything accepted is stored.
    pub async fn ask(&self, question: Value) -> Value {
        let begin = Instant::now();
        loop {
            let report = self.get("/api/integrity").await;
            if report["in_flight"] == json!(0) {
                break;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "{report}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut asked = json!({"date_range": "all"});
        asked.as_object_mut().unwrap().extend(question.as_object().unwrap().clone());
        let request = self.client.post(format!("{}/api/query", self.server.url())).header("cache-control", "no-cache");
        let answer = request.json(&asked).send().await.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&answer).expect(&answer);
        assert!(answer["results"].is_array(), "{answer}");
        answer
    }

    /// How many events are stored.
    pub async fn count(&self) -> u64 {
        let answer = self.ask(json!({"metrics": ["events"]})).await;
        answer["results"][0]["metrics"][0].as_u64().unwrap_or_default()
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.client.get(format!("{}{path}", self.server.url())).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }
}

/// Rows of CSV with a header, one a second; the numbers are those of the rows.
pub fn log(rows: std::ops::Range<u32>) -> String {
    let head = if rows.start == 0 { "session_id,event_type,event_action,timestamp,n\n" } else { "" };
    let line = |row: u32| {
        format!("s{},page,view,2024-03-01 {:02}:{:02}:{:02},{row}\n", row % 7, row / 3600, row / 60 % 60, row % 60)
    };
    head.to_owned() + &rows.map(line).collect::<String>()
}
