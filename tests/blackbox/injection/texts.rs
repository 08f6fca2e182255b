//! Texts that would do harm where they became part of a statement, a pattern, a path, a header or a page.

use serde_json::Value;

/// A text as it is written in a JSON body and in a URL; not all of these are texts that a program could hold.
#[derive(Debug, Clone)]
pub(super) struct Hostile {
    /// The text itself, where it is one.
    pub(super) text: Option<String>,
    /// Between the quotes of a JSON text.
    pub(super) json: String,
    /// Between the quotes of a JSON text within a JSON text: the key of a property that is written `metadata."key"`.
    pub(super) quoted_json: String,
    /// In a URL, percent-encoded whole.
    pub(super) url: String,
}

impl Hostile {
    fn text(text: &str) -> Self {
        let json = inner(text);
        Self { text: Some(text.to_owned()), quoted_json: inner(&json), json, url: encoded(text.as_bytes()) }
    }

    /// What only an escape or raw bytes can say.
    fn written(json: &str, bytes: &[u8]) -> Self {
        Self { text: None, json: json.to_owned(), quoted_json: inner(json), url: encoded(bytes) }
    }

    /// Whether an event may hold it: at most 64 characters, none of them U+0000.
    pub(super) fn storable(&self) -> Option<&str> {
        self.text.as_deref().filter(|text| text.chars().count() <= 64 && !text.contains('\0'))
    }
}

/// Every byte but letters and digits, percent-encoded.
pub(crate) fn encoded(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(*byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A text as JSON, without its quotes.
fn inner(text: &str) -> String {
    let json = Value::from(text).to_string();
    json[1..json.len() - 1].to_owned()
}

/// All of them.
pub(super) fn all() -> Vec<Hostile> {
    let mut all: Vec<Hostile> = [
        // SQL.
        "'",
        "\"",
        "''",
        "a'b",
        "'; DROP TABLE raw_events; --",
        "\" OR 1=1 --",
        "' || (SELECT 1) || '",
        "1); DELETE FROM event_ids; --",
        "$1",
        "$1::text",
        "?1",
        ":name",
        "$$",
        "\\",
        "\\'",
        "\\u0000",
        "/* */",
        "NULL",
        "nan",
        "1e999",
        "-0",
        // Patterns.
        "%",
        "_",
        "%%_",
        "*",
        "?",
        "[a-z]*",
        "(?:a+)+$",
        ".^$|()[]{}",
        // JSON paths and objects.
        "a[0]",
        "$.a",
        "$.a[#-1]",
        "a.b",
        "a..b",
        ".",
        "metadata.\"x\"",
        "metadata.\"",
        "\"a\".\"b\"",
        "{a,b}",
        "__proto__",
        "constructor",
        "{{7*7}}",
        "${7*7}",
        "__other__",
        // Pages, headers, paths and tables.
        "<img src=x onerror=alert(1)>",
        "\r\nX-Injected: 1\r\n\r\n",
        "../../../../etc/passwd",
        "..\\..\\windows\\win.ini",
        "%2e%2e%2f",
        "%00",
        "=cmd|' /C calc'!A0",
        "&x=1;#",
        // Unicode: bidirectional, beyond the basic plane, the two forms of one letter, case that changes length.
        "\u{202e}txt.exe",
        "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
        "caf\u{e9}",
        "cafe\u{301}",
        "\u{212b}",
        "\u{c5}",
        "\u{130}I\u{131}i",
        "\u{feff}",
        "\u{ffff}",
        " ",
        "\t",
        "\u{7f}",
        "",
    ]
    .map(Hostile::text)
    .into();
    all.push(Hostile::text("nul\0nul"));
    all.push(Hostile::text(&"x".repeat(1_001)));
    all.push(Hostile::text(&"\u{1f600}'".repeat(550)));
    all.push(Hostile::written(r"\ud800", b"\xed\xa0\x80"));
    all.push(Hostile::written(r"\udc00\ud800", b"\xff\xfe"));
    all.push(Hostile::written(r"\u", b"\xc0\xaf"));
    all
}
