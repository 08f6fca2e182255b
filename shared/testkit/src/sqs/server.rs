//! A running moto server and its queues.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::ask::ask;
use crate::folder::ServerFolder;
use crate::postgres::servers_folder;
use crate::process::{Blow, ServerProcess};
use crate::{Result, TestkitError, ports};

/// Names another program than the installed `moto_server`.
pub const MOTO_VARIABLE: &str = "ANALYTICS_MOTO_SERVER";

const PROGRAM: &str = "moto_server";
const START_LIMIT: Duration = Duration::from_secs(60);

/// Read by Python before the server begins. moto changes a queue in many steps and without a lock: where two requests
/// interleave, a message is lost or handed out twice. A thread that is never interrupted but where it waits makes each
/// of moto's steps a whole.
const STARTUP: &str = "import sys\nsys.setswitchinterval(60)\n";

/// A running SQS of one's own, ended when dropped. It starts slowly, so a test process shares one and makes many queues.
#[derive(Debug)]
pub struct SqsServer {
    process: ServerProcess,
    port: u16,
    // Last: the folder goes after the process.
    _folder: ServerFolder,
}

impl SqsServer {
    /// The region that queues are made in.
    pub const REGION: &str = "us-east-1";

    /// Starts a server on a free port and waits until it answers.
    ///
    /// # Errors
    /// Where `moto_server` is not installed or does not come up.
    pub fn start() -> Result<Self> {
        let program = program()?;
        let folder = ServerFolder::create("moto")?;
        let startup = folder.path().join("sitecustomize.py");
        std::fs::write(&startup, STARTUP).map_err(TestkitError::io(format!("write {}", startup.display())))?;
        let port = ports::free();
        let log = folder.path().join("server.log");
        let process = ServerProcess::start(&program, &log, Blow::Kill, None, |command| {
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).env("PYTHONPATH", folder.path());
            command.env("PYTHONDONTWRITEBYTECODE", "1");
        })?;
        let mut server = Self { process, port, _folder: folder };
        let address = server.address();
        server.process.wait_until(START_LIMIT, || Ok(ask(address, Self::REGION, "ListQueues", b"{}")?.0 == 200))?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// What `AWS_ENDPOINT_URL` has to be.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Makes a queue, with attributes as SQS names them, and gives its URL back.
    ///
    /// # Errors
    /// Where the server refuses the name or an attribute.
    pub fn create_queue(&self, name: &str, attributes: &[(&str, &str)]) -> Result<String> {
        let attributes: Map<String, Value> =
            attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let made = self.call("CreateQueue", &json!({ "QueueName": name, "Attributes": attributes }))?;
        Ok(made["QueueUrl"].as_str().unwrap_or_default().to_owned())
    }

    /// Makes a queue and another that its messages go to once they were received so many times; both URLs.
    ///
    /// # Errors
    /// Where the server refuses the name or an attribute.
    pub fn create_queue_with_dead_letters(
        &self,
        name: &str,
        most_receives: u32,
        attributes: &[(&str, &str)],
    ) -> Result<(String, String)> {
        let dead = self.create_queue(&format!("{name}-dead"), &[])?;
        let told = self.call("GetQueueAttributes", &json!({ "QueueUrl": dead, "AttributeNames": ["QueueArn"] }))?;
        let arn = told["Attributes"]["QueueArn"].as_str().unwrap_or_default();
        let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": most_receives }).to_string();
        let attributes = [attributes, &[("RedrivePolicy", policy.as_str())]].concat();
        Ok((self.create_queue(name, &attributes)?, dead))
    }

    /// Puts a message into a queue, whatever it says.
    ///
    /// # Errors
    /// Where the server refuses it.
    pub fn send(&self, queue_url: &str, body: &str) -> Result<()> {
        self.call("SendMessage", &json!({ "QueueUrl": queue_url, "MessageBody": body })).map(|_| ())
    }

    /// How many messages lie in a queue, handed out or not.
    ///
    /// # Errors
    /// Where there is no such queue.
    pub fn count(&self, queue_url: &str) -> Result<u64> {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let told = self.call("GetQueueAttributes", &json!({ "QueueUrl": queue_url, "AttributeNames": names }))?;
        let number = |name: &&str| told["Attributes"][*name].as_str().and_then(|text| text.parse::<u64>().ok());
        Ok(names.iter().filter_map(number).sum())
    }

    /// Runs one of SQS's actions and gives its answer back.
    ///
    /// # Errors
    /// Where the server cannot be reached or answers with an error.
    pub fn call(&self, action: &str, request: &Value) -> Result<Value> {
        let (status, body) = ask(self.address(), Self::REGION, action, request.to_string().as_bytes())
            .map_err(TestkitError::io(format!("ask SQS for {action}")))?;
        if status != 200 {
            let detail = format!("{action} got {status}: {}", String::from_utf8_lossy(&body));
            return Err(TestkitError::Failed { program: PROGRAM.to_owned(), detail });
        }
        // Some actions answer with nothing.
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }
}

/// The program: `$ANALYTICS_MOTO_SERVER`, else that of the unpacked servers, else the one on the path.
fn program() -> Result<PathBuf> {
    if let Some(program) = std::env::var_os(MOTO_VARIABLE) {
        return Ok(program.into());
    }
    let installed = servers_folder().join("python/bin").join(PROGRAM);
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = std::iter::once(installed.clone())
        .chain(std::env::split_paths(&on_path).map(|folder: PathBuf| Path::new(&folder).join(PROGRAM)));
    candidates
        .into_iter()
        .find(|program| program.exists())
        .ok_or(TestkitError::NotInstalled { program: PROGRAM, looked_for: installed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_in_and_are_counted_and_a_refusal_is_told() {
        let server = SqsServer::start().unwrap();
        let (queue, dead) = server.create_queue_with_dead_letters("events", 3, &[("VisibilityTimeout", "7")]).unwrap();
        assert!(queue.starts_with(&server.endpoint()) && queue.ends_with("/events"), "{queue}");
        server.send(&queue, "a").unwrap();
        server.send(&queue, "b").unwrap();
        let request = json!({ "QueueUrl": queue, "MaxNumberOfMessages": 1 });
        assert_eq!(server.call("ReceiveMessage", &request).unwrap()["Messages"][0]["Body"], "a");
        assert_eq!((server.count(&queue).unwrap(), server.count(&dead).unwrap()), (2, 0));
        let refusal = server.count(&format!("{queue}-not-there")).unwrap_err().to_string();
        assert!(refusal.contains("does not exist"), "{refusal}");
    }
}
