//! An event of an HTTP gateway, read as the request that it carries.

use std::net::IpAddr;

use axum::body::Body;
use axum::extract::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use lambda_http::request::LambdaRequest;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::problem::Problem;

/// Which gateway sent an event: each wants its answer in a form of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// API Gateway's REST API, payload version 1.0.
    Rest,
    /// API Gateway's HTTP API and function URLs, payload version 2.0.
    Http,
    /// An application load balancer.
    Balancer,
    /// None that is known.
    Unknown,
}

/// An invocation by a gateway.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) shape: Shape,
    /// Who spoke to the gateway, as the gateway saw it.
    pub(super) peer: Option<IpAddr>,
    /// The request; a problem where the event holds none.
    pub(super) request: Result<Request, Problem>,
}

/// Characters that a path as gateways give it can hold and a URI cannot. A `%` stays: it begins what is encoded already.
const NOT_IN_A_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'\\')
    .add(b'^')
    .add(b'|');

/// The parts of an event that every gateway gives in its own place.
struct Given {
    method: Method,
    path: Option<String>,
    query: String,
    headers: HeaderMap,
    body: Option<String>,
    is_base64: bool,
}

/// Reads an event.
pub(super) fn read(event: LambdaRequest) -> Call {
    match event {
        LambdaRequest::ApiGatewayV1(event) => {
            let queries = match event.multi_value_query_string_parameters.is_empty() {
                true => &event.query_string_parameters,
                false => &event.multi_value_query_string_parameters,
            };
            let given = Given {
                query: queries.to_query_string(),
                method: event.http_method,
                path: event.path,
                headers: both(event.headers, event.multi_value_headers),
                body: event.body,
                is_base64: event.is_base64_encoded,
            };
            let peer = event.request_context.identity.source_ip;
            Call { shape: Shape::Rest, peer: address(peer.as_deref()), request: given.request() }
        }
        LambdaRequest::ApiGatewayV2(event) => {
            let context = event.request_context;
            let given = Given {
                path: event.raw_path.map(|path| without_stage(path, context.stage.as_deref())),
                query: event.raw_query_string.unwrap_or_default(),
                method: context.http.method,
                headers: with_cookies(event.headers, event.cookies.as_deref().unwrap_or_default()),
                body: event.body,
                is_base64: event.is_base64_encoded,
            };
            Call { shape: Shape::Http, peer: address(context.http.source_ip.as_deref()), request: given.request() }
        }
        LambdaRequest::Alb(event) => {
            let queries = match event.multi_value_query_string_parameters.is_empty() {
                true => &event.query_string_parameters,
                false => &event.multi_value_query_string_parameters,
            };
            // A balancer gives names and values as they were sent, still encoded.
            let pairs: Vec<String> = queries.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let given = Given {
                query: pairs.join("&"),
                method: event.http_method,
                path: event.path,
                headers: both(event.headers, event.multi_value_headers),
                body: event.body,
                is_base64: event.is_base64_encoded,
            };
            // It writes who spoke to it to the right of what it was sent.
            let forwarded = given.headers.get_all("x-forwarded-for").into_iter().next_back();
            let last = forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next());
            Call { shape: Shape::Balancer, peer: address(last), request: given.request() }
        }
        _ => {
            let detail = "the event comes from no HTTP API, REST API, function URL or load balancer";
            let problem = Problem::new(StatusCode::BAD_REQUEST, "unknown_event", detail);
            Call { shape: Shape::Unknown, peer: None, request: Err(problem) }
        }
    }
}

impl Given {
    fn request(self) -> Result<Request, Problem> {
        let body = match (self.body, self.is_base64) {
            (Some(text), true) => STANDARD.decode(text).map_err(|_| {
                let detail = "the gateway says that the body is base64, and it is not";
                Problem::new(StatusCode::BAD_REQUEST, "invalid_body", detail)
            })?,
            (Some(text), false) => text.into_bytes(),
            (None, _) => Vec::new(),
        };
        let path = self.path.unwrap_or_default();
        let mut uri = utf8_percent_encode(&path, NOT_IN_A_PATH).to_string();
        if !uri.starts_with('/') {
            uri.insert(0, '/');
        }
        if !self.query.is_empty() {
            uri.push('?');
            uri.push_str(&self.query);
        }
        let uri: Uri = uri.parse().map_err(|_| {
            let detail = "path and query are no URI; write what is not ASCII percent-encoded";
            Problem::new(StatusCode::BAD_REQUEST, "invalid_uri", detail)
        })?;
        let mut request = Request::new(Body::empty());
        *request.method_mut() = self.method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers;
        // The length of the body as it is now: the gateway's may be that of another form of it.
        request.headers_mut().remove(header::TRANSFER_ENCODING);
        if request.headers_mut().remove(header::CONTENT_LENGTH).is_some() {
            request.headers_mut().insert(header::CONTENT_LENGTH, body.len().into());
        }
        *request.body_mut() = Body::from(body);
        Ok(request)
    }
}

/// Payload version 2.0 gives cookies in a place of their own.
fn with_cookies(mut headers: HeaderMap, cookies: &[String]) -> HeaderMap {
    if !cookies.is_empty()
        && !headers.contains_key(header::COOKIE)
        && let Ok(joined) = HeaderValue::from_str(&cookies.join("; "))
    {
        headers.insert(header::COOKIE, joined);
    }
    headers
}

/// Headers are given once or twice, with one value a name or with all.
fn both(single: HeaderMap, multi: HeaderMap) -> HeaderMap {
    if multi.is_empty() { single } else { multi }
}

fn address(text: Option<&str>) -> Option<IpAddr> {
    let text = text?.trim();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip());
    text.parse().ok().or_else(with_port)
}

/// The path without the stage that a gateway puts in front of it where the stage is not `$default`.
fn without_stage(path: String, stage: Option<&str>) -> String {
    let Some(stage) = stage.filter(|stage| !stage.is_empty() && *stage != "$default") else { return path };
    match path.strip_prefix('/').and_then(|rest| rest.strip_prefix(stage)) {
        Some("") => "/".to_owned(),
        Some(rest) if rest.starts_with('/') => rest.to_owned(),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::{Value, json};

    use super::*;

    fn call(event: Value) -> Call {
        read(serde_json::from_value(event).unwrap())
    }

    async fn body(request: Request) -> Vec<u8> {
        to_bytes(request.into_body(), usize::MAX).await.unwrap().to_vec()
    }

    fn http(path: &str, stage: &str, body: &str, is_base64: bool) -> Value {
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "range=7d&key=a%26b",
            "cookies": ["a=1", "b=2"],
            "headers": { "host": "x.example", "content-type": "application/json", "x-forwarded-for": "198.51.100.7" },
            "requestContext": {
                "accountId": "1", "apiId": "a", "domainName": "x.example", "stage": stage, "requestId": "r", "routeKey": "$default",
                "time": "t", "timeEpoch": 1,
                "http": { "method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9", "userAgent": "u" }
            },
            "body": body, "isBase64Encoded": is_base64
        })
    }

    #[tokio::test]
    async fn an_http_api_gives_path_query_body_and_client() {
        let call = call(http("/collect", "$default", "{}", false));
        assert_eq!((call.shape, call.peer), (Shape::Http, Some("203.0.113.9".parse().unwrap())));
        let request = call.request.unwrap();
        assert_eq!(
            (request.method(), request.uri().to_string()),
            (&Method::POST, "/collect?range=7d&key=a%26b".to_owned())
        );
        assert_eq!(request.headers()["content-type"], "application/json");
        assert_eq!(request.headers()["cookie"], "a=1; b=2");
        assert_eq!(body(request).await, b"{}");
    }

    #[tokio::test]
    async fn a_base64_body_is_read_and_a_broken_one_refused() {
        let request = call(http("/collect", "$default", "AP8=", true)).request.unwrap();
        assert_eq!(body(request).await, [0, 255]);
        let problem = call(http("/collect", "$default", "?", true)).request.unwrap_err();
        assert_eq!((problem.status(), problem.code()), (StatusCode::BAD_REQUEST, "invalid_body"));
    }

    #[test]
    fn the_stage_is_no_part_of_the_path() {
        let path = |path, stage| call(http(path, stage, "", false)).request.unwrap().uri().path().to_owned();
        assert_eq!(path("/prod/collect", "prod"), "/collect");
        assert_eq!(path("/prod", "prod"), "/");
        assert_eq!(path("/production/x", "prod"), "/production/x");
        assert_eq!(path("/collect", "$default"), "/collect");
        // A gateway may have decoded the path.
        assert_eq!(path("/api/properties/a b\u{e4}/values", "$default"), "/api/properties/a%20b%C3%A4/values");
        assert_eq!(path("/api/properties/a%20b", "$default"), "/api/properties/a%20b");
    }

    #[test]
    fn a_rest_api_gives_decoded_queries_and_its_own_place_for_the_client() {
        let call = call(json!({
            "resource": "/{proxy+}", "path": "/api/events", "httpMethod": "GET",
            "headers": { "Host": "x.example", "X-Write-Key": "k" }, "multiValueHeaders": { "Host": ["x.example"], "X-Write-Key": ["k"] },
            "queryStringParameters": { "cursor": "a b&c" }, "multiValueQueryStringParameters": { "cursor": ["a b&c"] },
            "requestContext": {
                "accountId": "1", "resourceId": "r", "stage": "prod", "requestId": "i", "resourcePath": "/{proxy+}", "httpMethod": "GET",
                "identity": { "sourceIp": "2001:db8::1" }, "path": "/prod/api/events", "apiId": "a"
            },
            "body": null, "isBase64Encoded": false
        }));
        assert_eq!((call.shape, call.peer), (Shape::Rest, Some("2001:db8::1".parse().unwrap())));
        let request = call.request.unwrap();
        assert_eq!(request.uri().path(), "/api/events");
        let pairs: Vec<_> =
            url::form_urlencoded::parse(request.uri().query().unwrap().as_bytes()).into_owned().collect();
        assert_eq!(pairs, [("cursor".to_owned(), "a b&c".to_owned())]);
        assert_eq!(request.headers()["x-write-key"], "k");
    }

    #[test]
    fn a_balancer_gives_queries_as_they_were_sent_and_writes_the_client_to_the_right() {
        let call = call(json!({
            "requestContext": { "elb": { "targetGroupArn": "arn:aws:elasticloadbalancing:r:1:targetgroup/t/1" } },
            "httpMethod": "GET", "path": "/api/trends", "queryStringParameters": { "range": "7d", "event_type": "a%26b" },
            "headers": { "host": "x.example", "x-forwarded-for": "1.1.1.1, 203.0.113.9" }, "body": "", "isBase64Encoded": false
        }));
        assert_eq!((call.shape, call.peer), (Shape::Balancer, Some("203.0.113.9".parse().unwrap())));
        let query = call.request.unwrap().uri().query().unwrap().to_owned();
        let mut pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        pairs.sort();
        assert_eq!(pairs, [("event_type".to_owned(), "a&b".to_owned()), ("range".to_owned(), "7d".to_owned())]);
    }
}
