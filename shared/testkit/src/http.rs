//! As much HTTP/1.1 as test servers need: a head and a body, of a known length or in chunks.

use std::io::{self, BufRead, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest body.
const MOST_BYTES: usize = 64 << 20;

/// A request or an answer.
#[derive(Debug)]
pub(crate) struct Message {
    /// `POST / HTTP/1.1`, `HTTP/1.1 200 OK`.
    pub(crate) first_line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// Reads one; `None` where the other side has closed the connection.
    pub(crate) fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
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
        if message.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            message.body = read_chunks(from)?;
        } else {
            let length = message.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            message.body.resize(usize::min(length, MOST_BYTES), 0);
            from.read_exact(&mut message.body)?;
        }
        Ok(Some(message))
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The status of an answer.
    pub(crate) fn status(&self) -> u16 {
        self.first_line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }
}

/// The body of a message in chunks (RFC 9112, 7.1), without its trailers.
fn read_chunks(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let length = line.trim_end().split(';').next().unwrap_or_default();
        let length = usize::from_str_radix(length, 16).map_err(|_| io::Error::other("a chunk without a length"))?;
        if body.len() + length > MOST_BYTES {
            return Err(io::Error::other("the body is too large"));
        }
        let begin = body.len();
        body.resize(begin + length, 0);
        from.read_exact(&mut body[begin..])?;
        let mut end = String::new();
        from.read_line(&mut end)?;
        if length == 0 {
            return Ok(body);
        }
    }
}

/// Posts a body on a connection of its own, which may be silent for `patience`, with further header lines, each ended by `\r\n`; status and body of the answer.
pub(crate) fn post(
    server: SocketAddr,
    path: &str,
    headers: &str,
    body: &[u8],
    patience: Duration,
) -> io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&server, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(patience))?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {server}\r\nContent-Length: {}\r\n{headers}Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let answer = Message::read(&mut BufReader::new(stream))?;
    let answer = answer.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
    Ok((answer.status(), answer.body))
}
