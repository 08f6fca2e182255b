//! The question language as schemas; the reading itself is `analytics_query`'s, which knows nothing of documents.
#![allow(dead_code, reason = "these types only describe; the tests hold them to what the language reads")]

use serde_json::json;
use utoipa::openapi::schema::{
    AdditionalProperties, AllOfBuilder, AnyOfBuilder, ArrayBuilder, ArrayItems, ObjectBuilder, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// What is asked: figures of the events in a range, told apart by dimensions.
///
/// A member that is not listed here is refused by name, and so is `null` where it is not named as a type.
#[derive(ToSchema)]
#[schema(as = Question, example = json!({
    "metrics": ["events", "visitors"], "date_range": "7d", "timezone": "Europe/Berlin",
    "dimensions": ["time:day"], "filters": [["is", "event_type", ["commerce"]]]
}))]
#[serde(deny_unknown_fields)]
pub(crate) struct QuestionBody {
    /// The figures, each once.
    #[schema(min_items = 1, max_items = 20)]
    metrics: Vec<Metric>,
    /// The range; `7d` where none is given.
    #[schema(required = false)]
    date_range: DateRange,
    /// The IANA name of the zone whose days, hours and dates are meant.
    #[schema(required = false, default = "UTC", example = "Europe/Berlin")]
    timezone: String,
    /// What tells rows apart, each once, at most one of time.
    #[schema(required = false, max_items = 10)]
    dimensions: Vec<Dimension>,
    /// Which events count: those for which all hold. A question holds at most 200 filters, nested at most 10 deep.
    #[schema(required = false)]
    filters: Vec<Filter>,
    /// The order of rows; without it time ascending, else the first metric descending, then dimensions ascending bytewise.
    /// `null` comes last in both directions.
    #[schema(required = false, max_items = 30)]
    order_by: Vec<OrderBy>,
    /// The range to compare with; rows then have `comparison`.
    #[schema(required = false, nullable)]
    compare: Compare,
    /// Rows a page.
    #[schema(required = false, default = 100, minimum = 1, maximum = 10_000)]
    limit: u32,
    /// `meta.next_cursor` of the page before; everything else of the question stays the same.
    #[schema(required = false, nullable, max_length = 1_000)]
    cursor: String,
}

/// How long a bucket of time is, on the clock of the question's zone; weeks begin on Monday.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum Interval {
    Minute,
    Hour,
    Day,
    Week,
    Month,
}

/// What an export is written as.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum ExportFormat {
    Ndjson,
    Csv,
    Parquet,
}

/// Gives a type that only describes its schema, and the types that the schema refers to.
macro_rules! describe {
    ($name:ident $(refers to [$($other:ty),+])?, $schema:expr) => {
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                RefOr::T(Schema::from($schema))
            }
        }

        impl ToSchema for $name {
            $(fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                $(
                    schemas.push((<$other>::name().into_owned(), <$other>::schema()));
                    <$other>::schemas(schemas);
                )+
            })?
        }
    };
}

describe!(
    Metric,
    text(
        "A figure. `events`: how many. `sessions`, `users`, `visitors`: distinct sessions, user ids, persons; a person is the \
         event's `user_id`, else the first `user_id` seen in its session, else the session. `events_per_session`: of the row. \
         `sum:`, `avg:`, `min:`, `max:` and `p1:` to `p99:` before `metadata.<path>`: over the JSON numbers at the path; a \
         percentile between two numbers lies on the straight line from one to the other. A formula of these, decimal numbers, \
         `+ - * /` and parentheses: null where it divides by 0 or a part is null.",
        r"^[ (]*([0-9][0-9.]*[ +*/(-]+)*(events|sessions|users|visitors|events_per_session|(sum|avg|min|max|p[1-9][0-9]?):metadata\..+)([ +*/()-].*)?$",
        &["events", "visitors", "sum:metadata.price", "p95:metadata.ms", "(events - users) / sessions"],
    )
);

describe!(
    Field,
    text(
        "What of an event can be filtered and grouped by. Dots of a path go into objects; a key that holds a dot is written \
         as a JSON string: `metadata.\"a.b\"`.",
        r"^(event_type|event_action|user_id|session_id|metadata\..+)$",
        &["event_type", "metadata.path"],
    )
);

describe!(
    Dimension,
    text(
        "What tells rows apart: a bucket of time, or the text of a field. An absent value, an object or an array is `null`, a \
         row of its own. Every bucket up to now is there, also one without events.",
        r"^(time:(minute|hour|day|week|month)|event_type|event_action|user_id|session_id|metadata\..+)$",
        &["time:day", "event_type", "metadata.path"],
    )
);

describe!(
    DateRange,
    AnyOfBuilder::new()
        .description(Some(
            "A stretch of time; days are those of `timezone`. `today`, `yesterday`; `Nd`: today and the N - 1 days before it; \
             `month`, `year`: from the first day of the current one; `all`: from the day of the first event. All but \
             `yesterday` end with the end of today. `Nh`: the N hours before now. `[from, to]`: two dates, both included, or \
             two RFC 3339 instants with offset, `to` not included.",
        ))
        .examples([json!("7d"), json!(["2026-11-01", "2026-11-30"])])
        .item(ObjectBuilder::new().schema_type(Type::String).pattern(Some(
            "^(today|yesterday|month|year|all|([1-9][0-9]{0,3}|10000)[dh])$"
        )))
        .item(list(either(&[Type::String]), 2, Some(2)))
        .build()
);

describe!(
    Compare refers to [DateRange],
    AnyOfBuilder::new()
        .description(Some(
            "What a range is compared with. `previous_period`: moved back by its own number of days (`Nh`: hours). \
             `previous_year`: the same dates of the year before. Or a range of its own.",
        ))
        .item(ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["previous_period", "previous_year"])))
        .item(Ref::from_schema_name("DateRange"))
        .build()
);

describe!(
    OrderBy,
    tuple(vec![either(&[Type::String]).into(), word(&["asc", "desc"])])
        .description(Some("A metric or dimension of the question, and the direction."))
        .examples([json!(["events", "desc"])])
        .build()
);

describe!(
    Filter refers to [Field],
    AnyOfBuilder::new()
        .description(Some(
            "A condition on one event: a list that begins with the operator. The values of one filter are alternatives. \
             `is_not` and `not_contains` hold where the value is absent; number operators see JSON numbers in the metadata only. \
             `has_done` and `has_not_done` are about the person behind the event.",
        ))
        .examples([
            json!(["is", "event_type", ["commerce", "navigation"]]),
            json!(["contains", "metadata.path", ["/docs"], { "case_sensitive": false }]),
            json!(["or", [["gt", "metadata.price", [10]], ["not", ["exists", "user_id"]]]]),
            json!(["has_done", [["is", "event_action", ["purchase"]]]]),
        ])
        .item(
            tuple(vec![
                word(&["is", "is_not", "contains", "not_contains", "starts_with", "matches"]),
                reference("Field"),
                list(either(&[Type::String, Type::Number, Type::Boolean]), 1, Some(100)),
                options(),
            ])
            .min_items(Some(3))
            .description(Some(
                "Compares texts, by case unless a fourth element says otherwise; numbers and booleans as they are written. \
                 `matches` takes `*` and `?` over the whole value.",
            )),
        )
        .item(
            tuple(vec![word(&["gt", "gte", "lt", "lte"]), property(), list(either(&[Type::Number]), 1, Some(100))])
                .description(Some("Compares numbers.")),
        )
        .item(
            tuple(vec![word(&["between"]), property(), list(either(&[Type::Number]), 2, Some(2))])
                .description(Some("From the first number to the second, both included.")),
        )
        .item(
            tuple(vec![word(&["exists", "not_exists"]), reference("Field")])
                .description(Some("Whether the field is there.")),
        )
        .item(
            tuple(vec![word(&["and", "or"]), list(Ref::from_schema_name("Filter"), 1, None)])
                .description(Some("All of them hold, or one of them.")),
        )
        .item(
            tuple(vec![word(&["has_done", "has_not_done"]), list(Ref::from_schema_name("Filter"), 1, None)]).description(Some(
                "The event's person has, or has not, one event in the range for which all of these hold; there may be ten of \
                 them in a question, none within another.",
            )),
        )
        .item(
            tuple(vec![
                word(&["not"]),
                AnyOfBuilder::new()
                    .item(Ref::from_schema_name("Filter"))
                    .item(list(Ref::from_schema_name("Filter"), 1, Some(1)))
                    .build()
                    .into(),
            ])
            .description(Some("It does not hold; a list of one filter is read as that filter.")),
        )
        .build()
);

/// Texts of one form.
fn text(description: &str, pattern: &str, examples: &[&str]) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .pattern(Some(pattern))
        .examples(examples.iter().copied())
        .into()
}

/// One of these words.
fn word(words: &[&str]) -> Schema {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.iter().copied())).into()
}

/// Values of these kinds.
fn either(kinds: &[Type]) -> ObjectBuilder {
    let kind = match kinds {
        [only] => SchemaType::new(only.clone()),
        _ => SchemaType::from_iter(kinds.iter().cloned()),
    };
    ObjectBuilder::new().schema_type(kind)
}

/// The path of a value in the metadata.
fn property() -> Schema {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(r"^metadata\..+$")).into()
}

/// The fourth element of a filter.
fn options() -> Schema {
    ObjectBuilder::new()
        .property("case_sensitive", ObjectBuilder::new().schema_type(Type::Boolean).default(Some(json!(true))))
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        .into()
}

/// A schema of the document, where only a schema may stand.
fn reference(name: &str) -> Schema {
    AllOfBuilder::new().item(Ref::from_schema_name(name)).build().into()
}

/// So many of the same.
fn list(items: impl Into<ArrayItems>, least: usize, most: Option<usize>) -> Schema {
    ArrayBuilder::new().items(items).min_items(Some(least)).max_items(most).into()
}

/// One of each, in this order.
fn tuple(items: Vec<Schema>) -> ArrayBuilder {
    let count = items.len();
    ArrayBuilder::new().prefix_items(items).items(ArrayItems::False).min_items(Some(count)).max_items(Some(count))
}
