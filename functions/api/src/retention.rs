//! `POST /api/retention`: who came back.

use analytics_host::problem::Problem;
use analytics_query::RetentionQuestion;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use crate::answering::answer;
use crate::openapi::refusal::QuestionRefusals;
use crate::openapi::retention::{RetentionAnswer, RetentionBody};
use crate::problems::WholeBody;
use crate::router::ApiDeps;

/// Answers who came back: cohorts by the unit in which they started, and how many of each returned in the units after.
///
/// The body is read as JSON whatever its media type says.
#[utoipa::path(
    post, path = "/api/retention", operation_id = "retention", tag = "questions",
    request_body(content = RetentionBody, description = "The question.", examples(
        ("weeks" = (summary = "Of those who bought something for the first time, who bought again in the weeks after", value = json!({
            "start": { "filters": [["is", "event_action", ["purchase"]]] },
            "return": { "filters": [["is", "event_action", ["purchase"]]] },
            "unit": "week", "periods": 4, "mode": "on", "first": "ever", "date_range": "30d", "timezone": "Europe/Berlin"
        }))),
        ("days" = (summary = "Visitors who came back on a day or on a later one", value = json!({
            "start": {}, "return": {}, "unit": "day", "periods": 7, "mode": "on_or_after", "by": "person", "date_range": "7d"
        }))),
    )),
    responses((status = 200, description = "The cohorts, oldest first.", body = RetentionAnswer), QuestionRefusals)
)]
pub(crate) async fn ask(State(deps): State<ApiDeps>, headers: HeaderMap, body: WholeBody) -> Result<Response, Problem> {
    let body = body.unless_refused(&deps.access, &headers).await?;
    answer(&deps, &headers, || RetentionQuestion::from_slice(&body)).await
}
