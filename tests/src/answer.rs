//! What a server answered.

use reqwest::header::HeaderMap;
use serde_json::Value;

/// Status, headers and body of an answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
    /// The body as JSON; null where it is none.
    pub body: Value,
    request: String,
}

impl Answer {
    /// Reads an answer whole; `request` is told where a check fails.
    ///
    /// # Panics
    /// Where the connection breaks.
    pub async fn read(request: String, response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap_or_else(|error| panic!("{request}: the answer broke off: {error}"));
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, headers, text, body, request }
    }

    /// A header's value; empty where it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The answer itself where its status is `status`.
    ///
    /// # Panics
    /// Where it is another one, with the request and the body.
    #[track_caller]
    #[must_use]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}\nanswered: {}", self.request, self.text);
        self
    }

    /// Checks that it is a problem document with this status and code, whole by RFC 9457.
    ///
    /// # Panics
    /// Where it is not.
    #[track_caller]
    #[must_use]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        let told = format!("{}\nanswered {}: {}", self.request, self.status, self.text);
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{told}");
        assert!(self.header("content-type").starts_with("application/problem+json"), "{:?}\n{told}", self.headers);
        assert_eq!(self.body["status"], status, "{told}");
        for field in ["type", "title", "detail"] {
            assert!(self.body[field].as_str().is_some_and(|text| !text.is_empty()), "`{field}` is missing\n{told}");
        }
        self
    }

    /// The codes of rejected events with their index and field.
    #[must_use]
    pub fn rejected(&self) -> Vec<(u64, &str, Option<&str>)> {
        let rejected = self.body["rejected"].as_array().map(Vec::as_slice).unwrap_or_default();
        let one = |event: &'_ Value| event["index"].as_u64().unwrap_or(u64::MAX);
        rejected
            .iter()
            .map(|event| (one(event), event["code"].as_str().unwrap_or_default(), event["field"].as_str()))
            .collect()
    }

    /// The metrics of each row, in order.
    #[must_use]
    pub fn metrics(&self) -> Vec<Value> {
        self.rows("metrics")
    }

    /// The dimensions of each row, in order.
    #[must_use]
    pub fn dimensions(&self) -> Vec<Value> {
        self.rows("dimensions")
    }

    /// The first metric of the only row.
    ///
    /// # Panics
    /// Where there is not one row.
    #[track_caller]
    #[must_use]
    pub fn number(&self) -> Value {
        let rows = self.metrics();
        assert_eq!(rows.len(), 1, "{}\nanswered {}: {}", self.request, self.status, self.text);
        rows[0][0].clone()
    }

    fn rows(&self, part: &str) -> Vec<Value> {
        let rows = self.body["results"].as_array().map(Vec::as_slice).unwrap_or_default();
        rows.iter().map(|row| row[part].clone()).collect()
    }
}
