//! `/api/settings`: what holds for a project, where it is set, and what may be changed here.

use std::collections::BTreeMap;

use analytics_domain::{Project, Retention};
use analytics_host::keys::{Grant, Scope};
use analytics_host::problem::Problem;
use analytics_query::{Given, Zone};
use analytics_store::retention;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use tracing::info;
use utoipa::ToSchema;

use crate::members::{Members, read_text, wrong};
use crate::openapi::refusal::{ChangeSettingsRefusals, SettingsRefusals};
use crate::problems::{self, QueryPairs, WholeBody};
use crate::router::ApiDeps;

const RETENTION_DAYS: &str = "retention_days";
const TIMEZONE: &str = "timezone";
const PROJECT_TITLE: &str = "project_title";
const NAMES: [&str; 3] = [RETENTION_DAYS, TIMEZONE, PROJECT_TITLE];

/// Longest title, in characters.
const TITLE: usize = 100;

/// Most days of retention, as `RETENTION_DAYS` takes them.
const DAYS: u64 = 36_500;

/// A setting.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Setting {
    /// Its name.
    #[schema(example = "timezone")]
    name: &'static str,
    /// Its value: a text or a whole number.
    #[schema(value_type = SettingValue, example = "Europe/Berlin")]
    value: Value,
    /// Where it is set.
    source: SettingSource,
    /// Whether who asks may change it here.
    editable: bool,
    /// What a number counts; `null` for a text.
    #[schema(required = true, example = "days")]
    unit: Option<&'static str>,
}

/// A text or a whole number.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it only describes")]
pub(crate) enum SettingValue {
    Text(String),
    Number(u32),
}

/// Where a setting is set: the environment wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SettingSource {
    Environment,
    Store,
    Default,
}

/// The settings of a project.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SettingList {
    settings: Vec<Setting>,
}

/// Settings to change, by name; `null` takes away what was set here.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "it only describes the body")]
pub(crate) struct SettingChanges {
    /// How many whole UTC days events are kept, in every project of the deployment; 0 for ever. Only an administrator of the project
    /// `default` may set it, and only where `RETENTION_DAYS` does not. Fewer days than before delete events for good.
    #[schema(maximum = 36_500)]
    retention_days: Option<u32>,
    /// The IANA time zone that the page asks in unless told otherwise.
    timezone: Option<String>,
    /// What the page calls the project.
    #[schema(min_length = 1, max_length = 100)]
    project_title: Option<String>,
}

/// Lists the settings of the project, each with where it is set.
#[utoipa::path(
    get, path = "/api/settings", operation_id = "list_settings", tag = "project",
    responses((status = 200, description = "The settings.", body = SettingList), SettingsRefusals)
)]
pub(crate) async fn show(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    QueryPairs(pairs): QueryPairs,
) -> Result<Json<SettingList>, Problem> {
    let grant = deps.access.grant(&headers, Scope::Read).await?;
    Given::new(&pairs, &[]).map_err(problems::query)?;
    settings(&deps, &grant).await.map(Json)
}

/// Changes settings of the project, all that are named or none.
///
/// An admin key is needed. What the environment sets is not changed here. The body is read as JSON whatever its media type says.
#[utoipa::path(
    patch, path = "/api/settings", operation_id = "change_settings", tag = "project",
    security(("bearer" = ["admin"]), ("api_key" = ["admin"]), ("session" = ["admin"])),
    request_body(content = SettingChanges, description = "The changes.", examples(
        ("zone" = (summary = "A time zone", value = json!({ "timezone": "Europe/Berlin", "project_title": null }))),
    )),
    responses((status = 200, description = "The settings.", body = SettingList), ChangeSettingsRefusals)
)]
pub(crate) async fn change(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    body: WholeBody,
) -> Result<Json<SettingList>, Problem> {
    let grant = deps.access.grant(&headers, Scope::Admin).await?;
    let changes = read(&Members::read(&body.bytes()?, &NAMES)?)?;
    if changes.retention.is_some() {
        check_retention(&deps, &grant).await?;
    }
    deps.store.set_project_settings(&grant.project, &changes.of_project).await.map_err(problems::kept)?;
    match changes.retention {
        Some(Some(days)) => {
            deps.store.set_retention(Retention { days }).await.map_err(problems::kept)?;
            deps.retention.set(Retention { days });
            info!(days, "the retention was set");
        }
        Some(None) => {
            retention::forget(deps.store.as_ref()).await.map_err(problems::kept)?;
            deps.retention.set(Retention::default());
            info!(days = Retention::default().days, "the retention is the default again");
        }
        None => {}
    }
    settings(&deps, &grant).await.map(Json)
}

/// What a body asks for.
#[derive(Debug, PartialEq, Eq, Default)]
struct Changes {
    of_project: Vec<(&'static str, Option<String>)>,
    /// The days, or none where the default is to hold again.
    retention: Option<Option<u32>>,
}

fn read(body: &Members) -> Result<Changes, Problem> {
    let mut changes = Changes::default();
    for (name, value) in body.iter() {
        let given = (!value.is_null()).then_some(value);
        match name {
            RETENTION_DAYS => {
                let days = given.map(|value| value.as_u64().filter(|days| *days <= DAYS).ok_or(()));
                let days =
                    days.transpose().map_err(|()| wrong(RETENTION_DAYS, "expected a whole number from 0 to 36500"))?;
                changes.retention = Some(days.and_then(|days| u32::try_from(days).ok()));
            }
            TIMEZONE => {
                let text = given.map(|value| value.as_str().unwrap_or_default());
                let zone = text.map(|text| Zone::parse(text, TIMEZONE)).transpose();
                let zone = zone.map_err(|refused| wrong(TIMEZONE, &refused.message))?;
                changes.of_project.push((TIMEZONE, zone.map(|zone| zone.name().to_owned())));
            }
            _ => {
                let expected = "expected a text of 1 to 100 characters, none of them a control character";
                let title =
                    given.map(|value| read_text(Some(value), TITLE).ok_or_else(|| wrong(PROJECT_TITLE, expected)));
                changes.of_project.push((PROJECT_TITLE, title.transpose()?.map(str::to_owned)));
            }
        }
    }
    Ok(changes)
}

/// Whether who asks may change the retention, which is of every project.
async fn check_retention(deps: &ApiDeps, grant: &Grant) -> Result<(), Problem> {
    if grant.project != Project::default() {
        let detail =
            "the retention is that of every project of the deployment; an admin key of the project default is needed";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden_scope", detail).with("path", RETENTION_DAYS));
    }
    if is_said(deps).await? {
        let detail =
            "the retention is set by RETENTION_DAYS; change it there and start the processes anew, or unset it there";
        return Err(Problem::new(StatusCode::CONFLICT, "read_only", detail).with("path", RETENTION_DAYS));
    }
    Ok(())
}

/// Whether `RETENTION_DAYS` says the retention, to this process or to the processor.
async fn is_said(deps: &ApiDeps) -> Result<bool, Problem> {
    Ok(deps.retention_is_said || retention::is_said(deps.store.as_ref()).await.map_err(problems::kept)?)
}

async fn settings(deps: &ApiDeps, grant: &Grant) -> Result<SettingList, Problem> {
    let kept = deps.store.project_settings(&grant.project).await.map_err(problems::kept)?;
    let is_admin = grant.scope == Scope::Admin;
    let stored = deps.store.retention().await.map_err(problems::kept)?;
    let is_said = is_said(deps).await?;
    let source = match (is_said, stored) {
        (true, _) => SettingSource::Environment,
        (false, Some(_)) => SettingSource::Store,
        (false, None) => SettingSource::Default,
    };
    // What this process was told counts for its answers; else what the store says now, which all others follow.
    let days = if deps.retention_is_said { deps.retention.get() } else { stored.unwrap_or_default() }.days;
    let retention = Setting {
        name: RETENTION_DAYS,
        value: json!(days),
        source,
        editable: is_admin && !is_said && grant.project == Project::default(),
        unit: Some("days"),
    };
    let of_project = |name, unset: &str| text(&kept, name, unset, is_admin);
    let settings = vec![retention, of_project(TIMEZONE, "UTC"), of_project(PROJECT_TITLE, grant.project.as_str())];
    Ok(SettingList { settings })
}

fn text(kept: &BTreeMap<String, String>, name: &'static str, unset: &str, editable: bool) -> Setting {
    let (value, source) = match kept.get(name) {
        Some(value) => (value.as_str(), SettingSource::Store),
        None => (unset, SettingSource::Default),
    };
    Setting { name, value: json!(value), source, editable, unit: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(body: Value) -> Result<Changes, Problem> {
        read(&Members::read(body.to_string().as_bytes(), &NAMES)?)
    }

    #[test]
    fn each_setting_has_its_rule() {
        let all = changes(json!({ "retention_days": 0, "timezone": "europe/berlin", "project_title": "Zoë" })).unwrap();
        assert_eq!(all.retention, Some(Some(0)));
        let texts = [(PROJECT_TITLE, Some("Zoë".to_owned())), (TIMEZONE, Some("Europe/Berlin".to_owned()))];
        assert_eq!(all.of_project, texts);
        let none = changes(json!({ "retention_days": null, "timezone": null, "project_title": null })).unwrap();
        assert_eq!((none.retention, none.of_project), (Some(None), vec![(PROJECT_TITLE, None), (TIMEZONE, None)]));
        assert_eq!(changes(json!({})).unwrap(), Changes::default());
        for (name, value) in [
            ("retention_days", json!(-1)),
            ("retention_days", json!(1.5)),
            ("retention_days", json!(36_501)),
            ("retention_days", json!("30")),
            ("timezone", json!("Europe/Atlantis")),
            ("timezone", json!("")),
            ("timezone", json!(1)),
            ("project_title", json!("")),
            ("project_title", json!("a\u{0}")),
            ("project_title", json!("x".repeat(101))),
            ("timezon", json!("UTC")),
        ] {
            let refused = changes(json!({ name: value })).unwrap_err();
            assert_eq!((refused.code(), refused.extra("path")), ("invalid_body", Some(&json!(name))), "{value}");
        }
    }
}
