//! A name server of a test's own, for programs that find replicas by name.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::{Result, TestkitError, ports};

/// How often the server looks whether it is over.
const TICK: Duration = Duration::from_millis(50);

/// Seconds that an answer may be kept.
const LIFETIME: u32 = 1;

type Names = Arc<Mutex<BTreeMap<String, Vec<Ipv4Addr>>>>;

/// DNS over UDP on loopback: addresses of names that a test sets and changes.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    names: Names,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Starts a server that knows no name.
    ///
    /// # Errors
    /// Where its port cannot be bound.
    pub fn start() -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], ports::free()));
        let socket = UdpSocket::bind(address).map_err(TestkitError::io(format!("bind {address} for names")))?;
        socket.set_read_timeout(Some(TICK)).map_err(TestkitError::io("bound the wait for questions"))?;
        let (names, over) = (Names::default(), Arc::new(AtomicBool::new(false)));
        let (known, ending) = (Arc::clone(&names), Arc::clone(&over));
        let thread = std::thread::spawn(move || serve(&socket, &known, &ending));
        Ok(Self { address, names, over, thread: Some(thread) })
    }

    /// Where it is asked.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives a name these addresses, and no others any more.
    pub fn set(&self, name: &str, addresses: &[Ipv4Addr]) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), addresses.to_vec());
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &UdpSocket, names: &Names, over: &AtomicBool) {
    let mut question = [0; 512];
    while !over.load(Ordering::Relaxed) {
        match socket.recv_from(&mut question) {
            Ok((length, asker)) => {
                let names = names.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(answer) = question.get(..length).and_then(|question| answer(question, &names)) {
                    // Who asks and goes away misses nothing.
                    let _ = socket.send_to(&answer, asker);
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
    }
}

/// The answer to a message with one question (RFC 1035, 4): the addresses, none, or that there is no such name.
fn answer(message: &[u8], names: &BTreeMap<String, Vec<Ipv4Addr>>) -> Option<Vec<u8>> {
    let (mut labels, mut at) = (Vec::new(), 12);
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(std::str::from_utf8(message.get(at..at + length)?).ok()?.to_ascii_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?);
    let question = message.get(12..at + 4)?;
    let found = names.get(&labels.join("."));
    // Addresses of the fourth version are all that there is.
    let addresses = found.filter(|_| kind == 1).map(Vec::as_slice).unwrap_or_default();
    let no_such_name = if found.is_some() { 0 } else { 3 };
    let mut answer = message.get(..2)?.to_vec();
    answer.extend_from_slice(&(0x8580_u16 | no_such_name).to_be_bytes());
    for count in [1, u16::try_from(addresses.len()).ok()?, 0, 0] {
        answer.extend_from_slice(&count.to_be_bytes());
    }
    answer.extend_from_slice(question);
    for address in addresses {
        // The name is that of the question; type A, class IN.
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1]);
        answer.extend_from_slice(&LIFETIME.to_be_bytes());
        answer.extend_from_slice(&[0, 4]);
        answer.extend_from_slice(&address.octets());
    }
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(server: &NameServer, name: &str, kind: u16) -> Vec<u8> {
        let mut question = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            question.push(u8::try_from(label.len()).unwrap());
            question.extend_from_slice(label.as_bytes());
        }
        question.push(0);
        question.extend_from_slice(&kind.to_be_bytes());
        question.extend_from_slice(&[0, 1]);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.send_to(&question, server.address()).unwrap();
        let mut answer = [0; 512];
        let length = socket.recv(&mut answer).unwrap();
        answer[..length].to_vec()
    }

    #[test]
    fn names_have_the_addresses_that_were_set_last() {
        let server = NameServer::start().unwrap();
        server.set("api", &[Ipv4Addr::new(127, 0, 1, 1)]);
        server.set("api", &[Ipv4Addr::new(127, 0, 1, 2), Ipv4Addr::new(127, 0, 1, 3)]);
        let answer = ask(&server, "API", 1);
        assert_eq!((&answer[..2], answer[3] & 15, answer[7]), (&[7, 7][..], 0, 2));
        assert!(answer.ends_with(&[127, 0, 1, 3]));
        assert_eq!(ask(&server, "api", 28)[7], 0, "it has no address of the sixth version");
        assert_eq!(ask(&server, "nobody.at.all", 1)[3] & 15, 3);
    }
}
