//! The verb answer: what became of each event.

use std::borrow::Cow;
use std::collections::BTreeSet;

use analytics_domain::{DecodedBody, Rejection, RejectionCode};
use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::fmt::Hyphenated;

/// A rejection as it is answered.
#[derive(Serialize)]
struct Told<'a> {
    index: usize,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    message: &'a str,
}

impl<'a> From<&'a Rejection> for Told<'a> {
    fn from(rejection: &'a Rejection) -> Self {
        Self {
            index: rejection.index,
            code: rejection.code.as_str(),
            field: rejection.field.as_ref().map(Cow::as_ref),
            message: &rejection.message,
        }
    }
}

/// Bytes of an id in a list: quotes, comma and the UUID.
const ID_BYTES: usize = Hyphenated::LENGTH + 3;

/// `{"accepted":N,"ids":[...],"rejected":[...]}`. Ids are what most of it is, so it is written by hand.
pub(crate) fn body(decoded: &DecodedBody<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + decoded.events.len() * ID_BYTES + decoded.rejected.len() * 160);
    out.extend_from_slice(b"{\"accepted\":");
    out.extend_from_slice(decoded.events.len().to_string().as_bytes());
    out.extend_from_slice(b",\"ids\":[");
    let mut text = [0; Hyphenated::LENGTH];
    for (index, event) in decoded.events.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
        out.extend_from_slice(event.id.hyphenated().encode_lower(&mut text).as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b"],\"rejected\":");
    let rejected: Vec<Told<'_>> = decoded.rejected.iter().map(Told::from).collect();
    if serde_json::to_writer(&mut out, &rejected).is_err() {
        // Only a failing writer or a map with odd keys fails; there is neither.
        unreachable!("texts and numbers can always be written");
    }
    out.push(b'}');
    out
}

/// An answer read back.
#[derive(Serialize, Deserialize)]
struct Written {
    accepted: usize,
    ids: Vec<String>,
    rejected: Vec<Map<String, Value>>,
}

/// The answer where some accepted events, by their place among those, did not become durable after all: they are rejected,
/// each at its index in the body, and can be sent again.
pub(crate) fn without(answer: Vec<u8>, lost: &[u32]) -> Vec<u8> {
    let Ok(mut written) = serde_json::from_slice::<Written>(&answer) else {
        unreachable!("an answer of ours can be read")
    };
    let is_lost: BTreeSet<usize> = lost.iter().map(|place| *place as usize).collect();
    let rejected: BTreeSet<u64> = written.rejected.iter().filter_map(|event| event["index"].as_u64()).collect();
    let accepted = (0..).filter(|index| !rejected.contains(index));
    let lost = accepted.zip(0..written.ids.len()).filter(|(_, place)| is_lost.contains(place));
    written.rejected.extend(lost.map(|(index, _)| {
        let message = "the queue did not take this event and took others of its body; send it again";
        Map::from_iter([
            ("index".to_owned(), index.into()),
            ("code".to_owned(), RejectionCode::NotQueued.as_str().into()),
            ("message".to_owned(), message.into()),
        ])
    }));
    written.rejected.sort_by_key(|event| event["index"].as_u64());
    let mut place = 0..;
    written.ids.retain(|_| place.next().is_some_and(|place| !is_lost.contains(&place)));
    written.accepted = written.ids.len();
    serde_json::to_vec(&written).unwrap_or(answer)
}

/// 202 where events were accepted, else 400 with a body of the same shape.
pub(crate) fn response(accepted: usize, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = if accepted > 0 { StatusCode::ACCEPTED } else { StatusCode::BAD_REQUEST };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use analytics_domain::{DecodeContext, Retention, Timestamp, decode};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn is_what_the_contract_says() {
        let sent = br#"[{"session_id":"s","event_type":"t","event_action":"a"},{"b\"":1},{"session_id":"s","event_type":"t","event_action":"a"},7]"#;
        let context = DecodeContext { received_at: Timestamp::from_micros(0), retention: Retention { days: 90 } };
        let mut next = 0;
        let decoded = decode(sent, &context, &mut || {
            next += 1;
            Uuid::from_u128(next)
        })
        .unwrap();
        let answer = String::from_utf8(body(&decoded)).unwrap();
        insta::assert_snapshot!(answer);
        let read: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(read["accepted"], 2);
        assert_eq!(read["rejected"][0]["field"], "b\"");
    }
    #[test]
    fn events_that_the_queue_lost_are_rejected_at_their_place_in_the_body() {
        let answer =
            br#"{"accepted":3,"ids":["a","b","c"],"rejected":[{"index":1,"code":"invalid_field","message":"m"}]}"#;
        let read: Value = serde_json::from_slice(&without(answer.to_vec(), &[0, 2])).unwrap();
        assert_eq!((&read["accepted"], &read["ids"]), (&1.into(), &serde_json::json!(["b"])));
        let rejected: Vec<_> =
            read["rejected"].as_array().unwrap().iter().map(|one| (&one["index"], &one["code"])).collect();
        let lost = &Value::from("not_queued");
        assert_eq!(rejected, [(&0.into(), lost), (&1.into(), &"invalid_field".into()), (&3.into(), lost)]);
    }
}
