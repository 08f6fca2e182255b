//! Every field of every route, and what is written there: the list that the document is held against.
//!
//! `HOLE` stands for a text within JSON, `KEY` for one within a quoted key of a property.

/// Where a hostile text is written.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// As one part of the path, instead of `{name}`.
    Path,
    /// As this parameter; the value is a pattern.
    Parameter(&'static str),
    /// In the body: these members instead of those of the route's plain question.
    Members(String),
}

/// A field of a route.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// As the document names it: a parameter, or the members of the body with dots between them and `[]` behind lists.
    pub(super) name: &'static str,
    /// Where texts are tried.
    pub(super) places: Vec<Place>,
}

/// A route.
#[derive(Debug, Clone)]
pub(super) struct Route {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub(super) method: &'static str,
    /// As the document writes it.
    pub(super) path: &'static str,
    /// What stands in the path where no text does: something that is there.
    pub(super) known: &'static str,
    /// What is asked where nothing else is: a query string, or the members of a body.
    pub(super) plain: &'static str,
    /// Its fields.
    pub(super) fields: Vec<Field>,
}

impl Route {
    /// Whether it is asked with a body.
    pub(super) fn has_body(&self) -> bool {
        ["POST", "PUT", "PATCH"].contains(&self.method)
    }
}

/// Stands in the body for a key that works.
pub(super) const KEY_OF_ADMIN: &str = "KEY-OF-ADMIN";

/// The id of nothing.
pub(super) const NOT_THERE: &str = "019a4310-8a00-7000-8000-00000000dead";

/// Lists of filters.
const FILTERS: [&str; 26] = [
    r#"[["is","event_type",["HOLE"]]]"#,
    r#"[["is_not","event_action",["HOLE","a"]]]"#,
    r#"[["is","user_id",["HOLE"]]]"#,
    r#"[["starts_with","session_id",["HOLE"]]]"#,
    r#"[["contains","metadata.v",["HOLE"],{"case_sensitive":false}]]"#,
    r#"[["not_contains","metadata.v",["HOLE"]]]"#,
    r#"[["matches","event_action",["HOLE"]]]"#,
    r#"[["matches","metadata.v",["*HOLE?"],{"case_sensitive":false}]]"#,
    r#"[["is","metadata.HOLE",["a"]]]"#,
    r#"[["is","metadata.\"KEY\"",["a"]]]"#,
    r#"[["exists","metadata.a.\"KEY\".HOLE"]]"#,
    r#"[["gt","metadata.\"KEY\"",[1]]]"#,
    r#"[["between","metadata.HOLE",[1,2]]]"#,
    r#"[["gt","metadata.n",["HOLE"]]]"#,
    r#"[["is","HOLE",["a"]]]"#,
    r#"[["HOLE","event_type",["a"]]]"#,
    r#"[["is","event_type",["a"],{"HOLE":true}]]"#,
    r#"[["is","event_type",["a"],{"case_sensitive":"HOLE"}]]"#,
    r#"[["is","event_type",[{"HOLE":1},["HOLE"]]]]"#,
    r#"[["or",[["is","event_type",["HOLE"]],["not",["matches","event_action",["HOLE"]]]]]]"#,
    r#"[["has_done",[["is","event_action",["HOLE"]]]]]"#,
    r#"[["has_not_done",[["contains","metadata.\"KEY\"",["HOLE"]]]]]"#,
    r#"[["has_done","HOLE"]]"#,
    r#"["HOLE"]"#,
    r#"{"HOLE":"HOLE"}"#,
    r#""HOLE""#,
];

/// One list of filters with a text in every part, and others that are refused: enough where the same reader has all of them.
const SOME_FILTERS: [&str; 2] = [
    r#"[["or",[["is","event_type",["HOLE"]],["contains","metadata.\"KEY\"",["HOLE"],{"case_sensitive":false}],["matches","user_id",["HOLE"]],["has_done",[["is","metadata.v",["HOLE"]]]]]]]"#,
    r#"[["HOLE","HOLE",["HOLE"]]]"#,
];

const RANGES: [&str; 3] = [r#""HOLE""#, r#"["HOLE","HOLE"]"#, r#"["2026-01-01","HOLE"]"#];

fn path(name: &'static str) -> Field {
    Field { name, places: vec![Place::Path] }
}

fn parameter(name: &'static str, patterns: &[&'static str]) -> Field {
    Field { name, places: patterns.iter().map(|pattern| Place::Parameter(pattern)).collect() }
}

/// A member of the body by itself.
fn member(name: &'static str, values: &[&str]) -> Field {
    members(name, &values.iter().map(|value| format!(r#"{{"{name}":{value}}}"#)).collect::<Vec<_>>())
}

/// Members of the body, each pattern a whole object.
fn members(name: &'static str, bodies: &[impl ToString]) -> Field {
    Field { name, places: bodies.iter().map(|body| Place::Members(body.to_string())).collect() }
}

/// A list of filters somewhere in the body; `FILTERS` stands for it.
fn filters(name: &'static str, body: &str, lists: &[&str]) -> Field {
    members(name, &lists.iter().map(|list| body.replace("FILTERS", list)).collect::<Vec<_>>())
}

fn range_and_zone() -> [Field; 2] {
    [member("date_range", &RANGES), member("timezone", &[r#""HOLE""#])]
}

fn parameters(names: &[&'static str]) -> Vec<Field> {
    names
        .iter()
        .map(|name| match *name {
            "filter" => parameter("filter", &SOME_FILTERS),
            "range" | "compare" => parameter(name, &["HOLE", "HOLE,HOLE"]),
            "metric" => parameter("metric", &["HOLE", "sum:metadata.HOLE", "(HOLE + events)"]),
            "dimension" => parameter("dimension", &["HOLE", "metadata.HOLE", "time:HOLE"]),
            other => parameter(other, &["HOLE"]),
        })
        .collect()
}

/// All routes but those that say something of themselves and ask the store nothing.
pub(super) fn routes() -> Vec<Route> {
    let known = |path: &str| match path.split('/').nth(2) {
        Some("sessions") => "a",
        Some("users") => "ann",
        _ => "event_type",
    };
    let get = |path, plain, fields| Route { method: "GET", path, known: known(path), plain, fields };
    let post = |path, plain, fields| Route { method: "POST", path, known: known(path), plain, fields };
    let selection = ["range", "tz", "event_type", "event_action", "filter"];
    let with = |more: &[&'static str]| parameters(&[&selection[..], more].concat());
    let mut timeline = parameters(&["range", "tz", "limit", "cursor"]);
    timeline.push(path("id"));
    let mut values = with(&["search", "limit", "cursor"]);
    values.push(path("key"));
    vec![
        post("/api/query", r#"{"metrics":["events"],"date_range":"7d"}"#, of_query()),
        post("/api/funnel", r#"{"steps":[{},{"filters":[["is","event_type",["a"]]]}]}"#, of_funnel()),
        post("/api/retention", r#"{"start":{},"return":{},"unit":"day","periods":2}"#, of_retention()),
        post("/api/paths", r#"{"depth":3}"#, of_paths()),
        get("/api/trends", "range=7d", with(&["metric", "interval", "dimension", "compare", "limit", "cursor"])),
        get(
            "/api/breakdown",
            "range=7d&dimension=event_type",
            with(&["metric", "dimension", "compare", "limit", "cursor"]),
        ),
        get("/api/sessions", "", with(&["limit", "cursor"])),
        get("/api/sessions/{id}", "", timeline.clone()),
        get("/api/users/{id}", "", timeline),
        // Nobody is there under a text of the list: nothing goes.
        Route { method: "DELETE", path: "/api/users/{id}", known: "nobody", plain: "", fields: vec![path("id")] },
        get("/api/events", "", with(&["limit", "cursor"])),
        get("/api/export", "", with(&["format", "limit", "cursor", "project"])),
        get("/api/properties", "", with(&["search", "limit"])),
        get("/api/properties/{key}/values", "", values),
        get("/api/integrity", "", parameters(&["days"])),
        get("/api/dead-letters", "", parameters(&["limit", "cursor"])),
        post(
            "/api/dead-letters/replay",
            r#"{"ids":[]}"#,
            vec![member("ids", &[r#"["HOLE"]"#, r#""HOLE""#]), member("all", &[r#""HOLE""#])],
        ),
    ]
    .into_iter()
    .chain(of_projects())
    .collect()
}

/// What a project keeps beside its events.
fn of_projects() -> Vec<Route> {
    let at = |method, path, plain, fields| Route { method, path, known: NOT_THERE, plain, fields };
    let view = || {
        vec![member("name", &[r#""HOLE""#]), member("page", &[r#""HOLE""#]), {
            let states = [r#"{"HOLE":"HOLE"}"#, r#"{"a":[{"HOLE":["HOLE"]}]}"#, r#""HOLE""#];
            member("state", &states)
        }]
    };
    let board = || {
        vec![
            member("name", &[r#""HOLE""#]),
            members("tiles[].view", &[r#"{"tiles":[{"view":"HOLE","width":1}]}"#, r#"{"tiles":"HOLE"}"#]),
            members(
                "tiles[].width",
                &[r#"{"tiles":[{"view":"019a4310-8a00-7000-8000-00000000dead","width":"HOLE"}]}"#],
            ),
        ]
    };
    let with_path = |mut fields: Vec<Field>| {
        fields.push(path("id"));
        fields
    };
    let a_view = r#"{"name":"v","page":"explore","state":{}}"#;
    let a_board = r#"{"name":"b","tiles":[]}"#;
    vec![
        at("GET", "/api/session", "", Vec::new()),
        at("POST", "/api/session", r#"{"key":"KEY-OF-ADMIN"}"#, vec![member("key", &[r#""HOLE""#])]),
        at("DELETE", "/api/session", "", parameters(&["project"])),
        at("GET", "/api/keys", "", Vec::new()),
        at(
            "POST",
            "/api/keys",
            r#"{"name":"k","scope":"read"}"#,
            vec![member("name", &[r#""HOLE""#]), member("scope", &[r#""HOLE""#])],
        ),
        at("DELETE", "/api/keys/{id}", "", vec![path("id")]),
        at("GET", "/api/settings", "", Vec::new()),
        at(
            "PATCH",
            "/api/settings",
            "{}",
            vec![
                member("retention_days", &[r#""HOLE""#]),
                member("timezone", &[r#""HOLE""#]),
                member("project_title", &[r#""HOLE""#]),
            ],
        ),
        at("GET", "/api/views", "", Vec::new()),
        at("POST", "/api/views", a_view, view()),
        at("PUT", "/api/views/{id}", a_view, with_path(view())),
        at("DELETE", "/api/views/{id}", "", vec![path("id")]),
        at("GET", "/api/boards", "", Vec::new()),
        at("POST", "/api/boards", a_board, board()),
        at("PUT", "/api/boards/{id}", a_board, with_path(board())),
        at("DELETE", "/api/boards/{id}", "", vec![path("id")]),
    ]
}

fn of_query() -> Vec<Field> {
    let metrics = [
        r#"["HOLE"]"#,
        r#"["sum:metadata.HOLE"]"#,
        r#"["p95:metadata.\"KEY\""]"#,
        r#"["HOLE:metadata.a"]"#,
        r#"["(events + HOLE) / 2"]"#,
        r#"[{"HOLE":1}]"#,
    ];
    let dimensions = [r#"["HOLE"]"#, r#"["metadata.HOLE"]"#, r#"["metadata.\"KEY\""]"#, r#"["time:HOLE"]"#];
    let order = [r#"[["HOLE","desc"]]"#, r#"[["events","HOLE"]]"#, r#"["HOLE"]"#];
    let mut fields = vec![
        member("metrics", &metrics),
        member("dimensions", &dimensions),
        filters("filters", r#"{"filters":FILTERS}"#, &FILTERS),
        member("order_by", &order),
        member("compare", &[r#""HOLE""#, r#"["HOLE","HOLE"]"#]),
        member("limit", &[r#""HOLE""#]),
        member("cursor", &[r#""HOLE""#]),
    ];
    fields.extend(range_and_zone());
    fields
}

fn of_funnel() -> Vec<Field> {
    let mut fields = vec![
        members("steps[].name", &[r#"{"steps":[{"name":"HOLE"},{}]}"#]),
        filters("steps[].filters", r#"{"steps":[{"filters":FILTERS},{}]}"#, &FILTERS),
        member("window", &[r#""HOLE""#, r#""1HOLE""#]),
        member("order", &[r#""HOLE""#]),
        member("by", &[r#""HOLE""#]),
        filters("exclude[].filters", r#"{"exclude":[{"filters":FILTERS}]}"#, &SOME_FILTERS),
        members("exclude[].after", &[r#"{"exclude":[{"after":"HOLE"}]}"#]),
        members("exclude[].before", &[r#"{"exclude":[{"before":"HOLE"}]}"#]),
        member("breakdown", &[r#""HOLE""#, r#""metadata.HOLE""#, r#""metadata.\"KEY\"""#]),
        filters("filters", r#"{"filters":FILTERS}"#, &SOME_FILTERS),
    ];
    fields.extend(range_and_zone());
    fields
}

fn of_retention() -> Vec<Field> {
    let mut fields = vec![
        filters("start.filters", r#"{"start":{"filters":FILTERS}}"#, &SOME_FILTERS),
        filters("return.filters", r#"{"return":{"filters":FILTERS}}"#, &SOME_FILTERS),
        member("unit", &[r#""HOLE""#]),
        member("periods", &[r#""HOLE""#]),
        member("mode", &[r#""HOLE""#]),
        member("first", &[r#""HOLE""#]),
        member("by", &[r#""HOLE""#]),
    ];
    fields.extend(range_and_zone());
    fields
}

fn of_paths() -> Vec<Field> {
    let mut fields = vec![
        filters("from.filters", r#"{"from":{"filters":FILTERS}}"#, &SOME_FILTERS),
        filters("to.filters", r#"{"to":{"filters":FILTERS}}"#, &SOME_FILTERS),
        member("depth", &[r#""HOLE""#]),
        member("by", &[r#""HOLE""#]),
        member("name", &[r#""HOLE""#, r#""metadata.HOLE""#, r#""metadata.\"KEY\"""#]),
        member("limit", &[r#""HOLE""#]),
    ];
    fields.extend(range_and_zone());
    fields
}
