//! `POST /api/funnel`: how many go through steps.

use analytics_host::problem::Problem;
use analytics_query::FunnelQuestion;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use crate::answering::answer;
use crate::openapi::funnel::{FunnelAnswer, FunnelBody};
use crate::openapi::refusal::QuestionRefusals;
use crate::problems::WholeBody;
use crate::router::ApiDeps;

/// Answers how many persons or sessions go through steps, how far, and how fast.
///
/// The body is read as JSON whatever its media type says.
#[utoipa::path(
    post, path = "/api/funnel", operation_id = "funnel", tag = "questions",
    request_body(content = FunnelBody, description = "The question.", examples(
        ("purchase" = (summary = "From the shop to a purchase within a day, by country", value = json!({
            "steps": [
                { "name": "Looked", "filters": [["starts_with", "metadata.path", ["/shop"]]] },
                { "name": "Put into the cart", "filters": [["is", "event_action", ["add_to_cart"]]] },
                { "name": "Bought", "filters": [["is", "event_action", ["purchase"]]] }
            ],
            "window": "1d", "breakdown": "metadata.country", "date_range": "30d", "timezone": "Europe/Berlin"
        }))),
        ("exclusion" = (summary = "Sessions that sign up without an error on the way", value = json!({
            "steps": [
                { "filters": [["is", "event_action", ["open_form"]]] },
                { "filters": [["is", "event_action", ["sign_up"]]] }
            ],
            "order": "ordered", "by": "session", "window": "30m",
            "exclude": [{ "filters": [["is", "event_type", ["error"]]], "after": 0, "before": 1 }]
        }))),
    )),
    responses((status = 200, description = "The steps and how many reached each.", body = FunnelAnswer), QuestionRefusals)
)]
pub(crate) async fn ask(State(deps): State<ApiDeps>, headers: HeaderMap, body: WholeBody) -> Result<Response, Problem> {
    let body = body.unless_refused(&deps.access, &headers).await?;
    answer(&deps, &headers, || FunnelQuestion::from_slice(&body)).await
}
