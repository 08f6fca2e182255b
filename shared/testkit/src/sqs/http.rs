//! As much HTTP/1.1 as SQS needs: a head and a body of a known length.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than SQS holds back an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request or an answer.
#[derive(Debug)]
pub(super) struct Message {
    /// `POST / HTTP/1.1`, `HTTP/1.1 200 OK`.
    pub(super) first_line: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Message {
    /// Reads one; `None` where the other side has closed the connection.
    pub(super) fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut first_line = String::new();
        if from.read_line(&mut first_line)? == 0 {
            return Ok(None);
        }
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            from.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut message = Self { first_line: first_line.trim_end().to_owned(), headers, body: Vec::new() };
        let length = message.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        message.body.resize(length, 0);
        from.read_exact(&mut message.body)?;
        Ok(Some(message))
    }

    /// A header's value.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The status of an answer.
    pub(super) fn status(&self) -> u16 {
        self.first_line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }
}

/// Asks a server for one of SQS's actions in `region`; the status and the JSON of the answer.
pub(super) fn ask(server: SocketAddr, region: &str, action: &str, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&server, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // The server learns service and region from the signature's scope and does not look at the signature.
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {server}\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n\
         X-Amz-Target: AmazonSQS.{action}\r\nConnection: close\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=test/20260101/{region}/sqs/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let answer = Message::read(&mut BufReader::new(stream.take(64 << 20)))?;
    let answer = answer.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
    Ok((answer.status(), answer.body))
}
