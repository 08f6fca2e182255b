//! A response, written as the gateway that asked wants it.

use std::collections::BTreeMap;

use axum::body::to_bytes;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde_json::value::RawValue;

use super::request::Shape;
use crate::problem::Problem;

/// Most bytes of an answer as Lambda takes it: 6 MiB and a hundred, as its quota for synchronous invocations says; held to
/// the round figure.
const ANSWER_BYTES: usize = 6 << 20;

/// An answer on its way through a gateway. Each reads headers in a place of its own; the other place stays empty, since a REST
/// API would send what stands in both twice.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_description: Option<String>,
    headers: BTreeMap<&'a str, String>,
    multi_value_headers: BTreeMap<&'a str, Vec<String>>,
    body: &'a str,
    is_base64_encoded: bool,
    /// Payload version 2.0 takes them here, each by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<Vec<String>>,
}

/// Writes a response; one that is too large for a function becomes 413.
pub(super) async fn write(shape: Shape, response: Response) -> Box<RawValue> {
    match try_write(shape, response).await {
        Ok(answer) => answer,
        Err(problem) => try_write(shape, problem.into_response()).await.unwrap_or_default(),
    }
}

async fn try_write(shape: Shape, response: Response) -> Result<Box<RawValue>, Problem> {
    let (head, body) = response.into_parts();
    // A stream that breaks and one that is too long look alike; none of the routes streams without end.
    let body = to_bytes(body, ANSWER_BYTES).await.map_err(|_| too_large())?;
    let text = std::str::from_utf8(&body).ok().filter(|_| !head.headers.contains_key(header::CONTENT_ENCODING));
    let encoded = if text.is_none() { STANDARD.encode(&body) } else { String::new() };
    let mut others = listed(&head.headers);
    let cookies =
        if shape == Shape::Http { others.remove(header::SET_COOKIE.as_str()).unwrap_or_default() } else { Vec::new() };
    let answer = Answer {
        status_code: head.status.as_u16(),
        status_description: (shape == Shape::Balancer).then(|| head.status.to_string()),
        headers: if shape == Shape::Rest { BTreeMap::new() } else { joined(&others) },
        multi_value_headers: if shape == Shape::Http { BTreeMap::new() } else { others },
        body: text.unwrap_or(&encoded),
        is_base64_encoded: text.is_none(),
        cookies: (shape == Shape::Http).then_some(cookies),
    };
    let Ok(json) = serde_json::value::to_raw_value(&answer) else {
        // Only a map with odd keys fails; there is none.
        unreachable!("texts and numbers can always be written");
    };
    if json.get().len() > ANSWER_BYTES { Err(too_large()) } else { Ok(json) }
}

fn too_large() -> Problem {
    let detail = "the answer is larger than the 6 MB that a function can give; ask for fewer rows or a shorter range";
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "answer_too_large", detail).with("limit_bytes", ANSWER_BYTES)
}

/// One value a name; more are joined, as HTTP allows.
fn joined<'h>(listed: &BTreeMap<&'h str, Vec<String>>) -> BTreeMap<&'h str, String> {
    listed.iter().map(|(name, values)| (*name, values.join(", "))).collect()
}

fn listed(headers: &HeaderMap) -> BTreeMap<&str, Vec<String>> {
    let mut listed: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        listed.entry(name.as_str()).or_default().push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    listed
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use serde_json::{Value, json};

    use super::*;

    async fn written(shape: Shape, response: Response) -> Value {
        serde_json::from_str(write(shape, response).await.get()).unwrap()
    }

    fn response(body: impl Into<Body>) -> Response {
        let mut response = Response::new(body.into());
        response.headers_mut().append("vary", "Origin".parse().unwrap());
        response.headers_mut().append("vary", "X-API-Key".parse().unwrap());
        response
    }

    #[tokio::test]
    async fn each_gateway_gets_its_own_form() {
        let http = json!({
            "statusCode": 200, "headers": { "vary": "Origin, X-API-Key" }, "multiValueHeaders": {}, "body": "gr\u{fc}n",
            "isBase64Encoded": false, "cookies": []
        });
        assert_eq!(written(Shape::Http, response("gr\u{fc}n")).await, http);
        let rest = written(Shape::Rest, response("x")).await;
        assert_eq!(rest["multiValueHeaders"], json!({ "vary": ["Origin", "X-API-Key"] }));
        assert_eq!(rest["headers"], json!({}), "a REST API adds both up");
        let balancer = written(Shape::Balancer, response("x")).await;
        assert_eq!(balancer["statusDescription"], "200 OK");
        assert_eq!(balancer["headers"]["vary"], "Origin, X-API-Key");
        assert_eq!(balancer["multiValueHeaders"]["vary"], json!(["Origin", "X-API-Key"]));
    }

    #[tokio::test]
    async fn cookies_are_set_where_each_gateway_wants_them() {
        let setting = || {
            let mut response = Response::new(Body::empty());
            response.headers_mut().append("set-cookie", "a=1; Path=/".parse().unwrap());
            response
        };
        let http = written(Shape::Http, setting()).await;
        assert_eq!((&http["cookies"], &http["headers"]), (&json!(["a=1; Path=/"]), &json!({})));
        let rest = written(Shape::Rest, setting()).await;
        assert_eq!(rest["multiValueHeaders"], json!({ "set-cookie": ["a=1; Path=/"] }));
    }

    #[tokio::test]
    async fn what_is_no_text_is_base64() {
        let answer = written(Shape::Http, response(vec![0, 255])).await;
        assert_eq!((&answer["body"], &answer["isBase64Encoded"]), (&json!("AP8="), &json!(true)));
        let mut packed = response("text");
        packed.headers_mut().insert(header::CONTENT_ENCODING, "br".parse().unwrap());
        assert_eq!(written(Shape::Http, packed).await["isBase64Encoded"], true);
    }

    #[tokio::test]
    async fn an_answer_beyond_the_limit_is_413() {
        assert_eq!(written(Shape::Http, response("x".repeat(ANSWER_BYTES - 200))).await["statusCode"], 200);
        // Quotes are two bytes on their way.
        for body in ["x".repeat(ANSWER_BYTES), "\"".repeat(ANSWER_BYTES / 2), "x".repeat(3 * ANSWER_BYTES)] {
            let answer = written(Shape::Http, response(body)).await;
            assert_eq!(answer["statusCode"], 413);
            let problem: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            assert_eq!((&problem["code"], &problem["limit_bytes"]), (&json!("answer_too_large"), &json!(ANSWER_BYTES)));
        }
    }
}
