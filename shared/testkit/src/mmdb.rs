//! Small files of countries in MaxMind's format, made for a test: no file of anybody's is needed.
//!
//! The format is a binary tree over the bits of an address, whose leaves point into a section of values, and a map of metadata at
//! the end. IPv4 lies at `::/96` of the tree.

use std::net::IpAddr;

/// Bits of an address in the tree.
const BITS: u8 = 128;

/// Where IPv4 begins in it.
const IPV4_BITS: u8 = 96;

/// What separates the tree from the values.
const SEPARATOR: [u8; 16] = [0; 16];

/// What the metadata is found by.
const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";

#[derive(Clone, Copy)]
enum Leaf {
    Nothing,
    Node(usize),
    Value(usize),
}

/// A file of these networks (`192.0.2.0/24`, `2001:db8::/32`), each with its country's two letters. Networks do not overlap.
///
/// # Panics
/// Where a text is no network.
#[must_use]
pub fn countries(networks: &[(&str, &str)]) -> Vec<u8> {
    let mut nodes = vec![[Leaf::Nothing; 2]];
    let mut values = Vec::new();
    for (network, letters) in networks {
        let (address, length) = read(network);
        let value = values.len();
        map(&mut values, 1);
        text(&mut values, "country");
        map(&mut values, 1);
        text(&mut values, "iso_code");
        text(&mut values, letters);
        plant(&mut nodes, address, length, value);
    }
    let count = nodes.len();
    let mut file = Vec::new();
    for leaf in nodes.iter().flatten() {
        let record = match *leaf {
            Leaf::Nothing => count,
            Leaf::Node(node) => node,
            Leaf::Value(value) => count + SEPARATOR.len() + value,
        };
        // Records of 24 bits.
        file.extend_from_slice(&record.to_be_bytes()[size_of::<usize>() - 3..]);
    }
    file.extend_from_slice(&SEPARATOR);
    file.extend_from_slice(&values);
    file.extend_from_slice(MARKER);
    metadata(&mut file, count);
    file
}

fn read(network: &str) -> (u128, u8) {
    let parts =
        network.split_once('/').and_then(|(address, length)| Some((address.parse().ok()?, length.parse().ok()?)));
    match parts {
        Some((IpAddr::V4(address), length)) if length <= BITS - IPV4_BITS => {
            (u32::from(address).into(), length + IPV4_BITS)
        }
        Some((IpAddr::V6(address), length)) if length <= BITS => (address.into(), length),
        _ => panic!("{network} is no network"),
    }
}

fn plant(nodes: &mut Vec<[Leaf; 2]>, address: u128, length: u8, value: usize) {
    let side = |bit: u8| usize::from(address >> (BITS - 1 - bit) & 1 == 1);
    let mut at = 0;
    for bit in 0..length.saturating_sub(1) {
        at = match nodes[at][side(bit)] {
            Leaf::Node(node) => node,
            Leaf::Nothing | Leaf::Value(_) => {
                let node = nodes.len();
                nodes[at][side(bit)] = Leaf::Node(node);
                nodes.push([Leaf::Nothing; 2]);
                node
            }
        };
    }
    nodes[at][side(length.saturating_sub(1))] = Leaf::Value(value);
}

fn metadata(file: &mut Vec<u8>, node_count: usize) {
    map(file, 9);
    for (name, number) in [("binary_format_major_version", 2), ("binary_format_minor_version", 0), ("ip_version", 6)] {
        text(file, name);
        number_of(file, 5, &[number]);
    }
    text(file, "record_size");
    number_of(file, 5, &[24]);
    text(file, "node_count");
    number_of(file, 6, &(node_count as u32).to_be_bytes());
    text(file, "build_epoch");
    // A number of 64 bits is of an extended type: 9, written as 2.
    file.extend_from_slice(&[4, 2]);
    file.extend_from_slice(&1_793_613_600_u32.to_be_bytes());
    text(file, "database_type");
    text(file, "Test-Country");
    text(file, "description");
    map(file, 0);
    text(file, "languages");
    // An empty list: type 11, written as 4.
    file.extend_from_slice(&[0, 4]);
}

fn map(out: &mut Vec<u8>, members: u8) {
    out.push(7 << 5 | members);
}

/// A text of at most 28 bytes, whose length stands in its first byte.
fn text(out: &mut Vec<u8>, text: &str) {
    assert!(text.len() < 29, "{text} is longer than this writer writes");
    out.push(2 << 5 | text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

fn number_of(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    out.push(kind << 5 | bytes.len() as u8);
    out.extend_from_slice(bytes);
}
