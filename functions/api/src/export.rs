//! `GET /api/export`: the events themselves as a file, as many as there are.
//!
//! The store is asked for a page after the other, and the next one only when the reader has taken what was made of the one
//! before: however much is exported and however slow its reader is, a page and what waits to be sent are all that is in memory.
//!
//! What breaks before the first byte is a refusal with a status; what breaks later ends the connection before the end of the
//! body, which no client can take for a whole file.

mod csv;
mod ndjson;
mod parquet;

use std::sync::Arc;

use analytics_host::failure::chain;
use analytics_host::keys::Scope;
use analytics_host::problem::Problem;
use analytics_query::export::EXPORT_PAGE;
use analytics_query::{
    Context, EventRecord, ExportPlan, ExportQuestion, Given, Place, QueryError, QueryErrorCode, Row, Statement,
};
use analytics_store::{EventStore, Reading, StoreError};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use tracing::error;

use self::csv::CsvWriter;
use self::ndjson::NdjsonWriter;
use self::parquet::ParquetWriter;
use crate::openapi::parameters::{CursorParams, EventsRangeParams, ExportParams, SelectionParams};
use crate::openapi::refusal::PageRefusals;
use crate::problems::{self, QueryPairs};
use crate::router::ApiDeps;

/// Where an answer that holds only a part of the events says how to go on.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

/// What an export is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Ndjson,
    Csv,
    Parquet,
}

/// Writes the events as a file, oldest first.
///
/// All that is asked for comes in one answer, as it is read. With `limit` it is a part, and `X-Next-Cursor` says how to go on: ask
/// the same again with it as `cursor`; without that header the part is the last. As a function, which can give no more than 6 MB
/// at once, an answer is always a part, whether limited or not.
#[utoipa::path(
    get, path = "/api/export", operation_id = "export_events", tag = "questions",
    params(ExportParams, EventsRangeParams, SelectionParams, CursorParams),
    responses(
        (status = 200, description = "The events: a JSON object a line, a table with a line of names, or a Parquet file.",
            headers(("X-Next-Cursor" = String, description = "What to send as `cursor` for the next part; absent on the last.")),
            content((String = "application/x-ndjson"), (String = "text/csv"), (String = "application/vnd.apache.parquet"))),
        PageRefusals
    )
)]
pub(crate) async fn export(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    QueryPairs(pairs): QueryPairs,
) -> Result<Response, Problem> {
    let project = pairs.iter().find(|(name, _)| name == "project").map(|(_, project)| project.as_str());
    let grant = deps.access.grant_in(&headers, project, Scope::Read).await?;
    let question = ExportQuestion::from_parameters(&pairs).map_err(problems::query)?;
    let format = Format::read(&pairs).map_err(problems::query)?;
    let (store, now, retention) = (Arc::clone(&deps.store), deps.clock.now(), deps.retention.get());
    let state = store.project_state(&grant.project, retention.cutoff(now)).await.map_err(problems::store)?;
    let context = Context {
        now,
        project: grant.project,
        retention,
        first_event: state.first_event,
        newest_receipt: state.newest_receipt,
        has_columns: state.has_columns,
    };
    let plan = question.plan(&context).map_err(problems::query)?;
    let writer = Writer::new(format).map_err(defect)?;
    let source = Source { store, reading: state.reading };
    let (body, next) = match deps.export_bytes {
        Some(most) => part(source, plan, writer, most).await,
        None => whole(source, plan, writer).await,
    }
    .map_err(problems::by_parameter)?;
    let disposition = HeaderValue::from_static(format.disposition());
    let media_type = HeaderValue::from_static(format.media_type());
    let mut response =
        ([(header::CONTENT_TYPE, media_type), (header::CONTENT_DISPOSITION, disposition)], body).into_response();
    if let Some(cursor) = next.and_then(|cursor| HeaderValue::try_from(cursor).ok()) {
        response.headers_mut().insert(NEXT_CURSOR, cursor);
    }
    Ok(response)
}

impl Format {
    fn read(pairs: &[(String, String)]) -> Result<Self, QueryError> {
        let wrong = || QueryError {
            code: QueryErrorCode::InvalidQuery,
            path: "format".to_owned(),
            message: "expected ndjson, csv or parquet".to_owned(),
        };
        let known: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        match Given::new(pairs, &known)?.one("format")? {
            None | Some("ndjson") => Ok(Self::Ndjson),
            Some("csv") => Ok(Self::Csv),
            Some("parquet") => Ok(Self::Parquet),
            Some(_) => Err(wrong()),
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    const fn disposition(self) -> &'static str {
        match self {
            Self::Ndjson => "attachment; filename=\"events.ndjson\"",
            Self::Csv => "attachment; filename=\"events.csv\"",
            Self::Parquet => "attachment; filename=\"events.parquet\"",
        }
    }
}

/// Writes events in one of the formats; what is written waits until it is taken.
enum Writer {
    Ndjson(NdjsonWriter),
    Csv(CsvWriter),
    Parquet(Box<ParquetWriter>),
}

/// Why an event could not be written: a defect, since every stored event can.
type Unwritten = Box<dyn std::error::Error + Send + Sync>;

impl Writer {
    fn new(format: Format) -> Result<Self, Unwritten> {
        Ok(match format {
            Format::Ndjson => Self::Ndjson(NdjsonWriter::default()),
            Format::Csv => Self::Csv(CsvWriter::default()),
            Format::Parquet => Self::Parquet(Box::new(ParquetWriter::new()?)),
        })
    }

    fn push(&mut self, event: EventRecord) -> Result<(), Unwritten> {
        match self {
            Self::Ndjson(writer) => writer.push(&event),
            Self::Csv(writer) => {
                writer.push(&event);
                Ok(())
            }
            Self::Parquet(writer) => writer.push(event),
        }
    }

    /// How many bytes there are so far, at most: packed they are fewer.
    fn weight(&self) -> usize {
        match self {
            Self::Ndjson(writer) => writer.weight(),
            Self::Csv(writer) => writer.weight(),
            Self::Parquet(writer) => writer.weight(),
        }
    }

    /// What can be sent.
    fn take(&mut self) -> Bytes {
        match self {
            Self::Ndjson(writer) => writer.take(),
            Self::Csv(writer) => writer.take(),
            Self::Parquet(writer) => writer.take(),
        }
    }

    /// The rest, which ends the file.
    fn finish(self) -> Result<Bytes, Unwritten> {
        match self {
            Self::Ndjson(mut writer) => Ok(writer.take()),
            Self::Csv(mut writer) => Ok(writer.take()),
            Self::Parquet(writer) => writer.finish(),
        }
    }
}

/// Where an export is read from.
struct Source {
    store: Arc<dyn EventStore>,
    reading: Reading,
}

impl Source {
    async fn select(&self, statement: &Statement) -> Result<Vec<Row>, StoreError> {
        self.store.select(self.reading, statement).await
    }
}

/// An export under way.
struct Export {
    source: Source,
    plan: ExportPlan,
    after: Option<Place>,
    until: Option<Place>,
    /// `None` once the file has ended.
    writer: Option<Writer>,
}

/// What an export breaks with.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("an event cannot be written")]
    Unwritten(#[source] Unwritten),
}

impl Export {
    /// The next events; fewer than a page are the last.
    async fn page(&mut self) -> Result<Vec<EventRecord>, StoreError> {
        let statement = self.plan.page(self.after, self.until, self.source.store.dialect());
        let events = ExportPlan::events(self.source.select(&statement).await?);
        self.after = events.last().map(EventRecord::place).or(self.after);
        Ok(events)
    }

    /// Reads on until there is something to send; `None` behind the end of the file.
    async fn chunk(&mut self) -> Result<Option<Bytes>, Broken> {
        while let Some(mut writer) = self.writer.take() {
            let events = self.page().await?;
            let is_last = events.len() < EXPORT_PAGE;
            // Packing a group of rows takes as long as many small requests.
            let written = tokio::task::spawn_blocking(move || {
                events.into_iter().try_for_each(|event| writer.push(event))?;
                if is_last { writer.finish().map(|rest| (rest, None)) } else { Ok((writer.take(), Some(writer))) }
            });
            let written = written.await.map_err(|error| Broken::Unwritten(error.into()))?;
            let (bytes, writer) = written.map_err(Broken::Unwritten)?;
            self.writer = writer;
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}

/// Where a limited export ends, if anything follows.
async fn until(source: &Source, plan: &ExportPlan) -> Result<Option<Place>, Problem> {
    match plan.look_ahead(source.store.dialect()) {
        Some(statement) => Ok(ExportPlan::end(source.select(&statement).await.map_err(problems::store)?)),
        None => Ok(None),
    }
}

/// All of it, as it is read; where it is limited, with the cursor of what follows.
async fn whole(source: Source, plan: ExportPlan, writer: Writer) -> Result<(Body, Option<String>), Problem> {
    let until = until(&source, &plan).await?;
    let next = until.map(|until| plan.cursor(until));
    let after = plan.after();
    let mut export = Export { source, plan, after, until, writer: Some(writer) };
    // The first piece before the status: until then, what goes wrong can be told.
    let first = export.chunk().await.map_err(broken)?.unwrap_or_default();
    let rest = stream::unfold(export, |mut export| async move {
        match export.chunk().await {
            Ok(bytes) => bytes.map(|bytes| (Ok(bytes), export)),
            Err(failure) => {
                error!(error = chain(&failure), "an export breaks off");
                // The writer is gone with the failure: nothing follows it.
                export.writer = None;
                Some((Err(failure), export))
            }
        }
    });
    Ok((Body::from_stream(stream::once(async move { Ok::<_, Broken>(first) }).chain(rest)), next))
}

/// As much of it as makes about `most` bytes, with the cursor of what follows.
async fn part(
    source: Source,
    plan: ExportPlan,
    mut writer: Writer,
    most: usize,
) -> Result<(Body, Option<String>), Problem> {
    let until = until(&source, &plan).await?;
    let after = plan.after();
    let mut export = Export { source, plan, after, until, writer: None };
    let mut next = until;
    loop {
        let events = export.page().await.map_err(problems::store)?;
        let is_last = events.len() < EXPORT_PAGE;
        let mut events = events.into_iter().peekable();
        let mut full = None;
        while let Some(event) = events.next() {
            let place = event.place();
            writer.push(event).map_err(defect)?;
            if writer.weight() >= most && (events.peek().is_some() || !is_last) {
                full = Some(place);
                break;
            }
        }
        if let Some(place) = full {
            next = Some(place);
            break;
        }
        if is_last {
            break;
        }
    }
    let mut bytes = writer.take().to_vec();
    bytes.extend_from_slice(&writer.finish().map_err(defect)?);
    Ok((Body::from(bytes), next.map(|place| export.plan.cursor(place))))
}

fn broken(failure: Broken) -> Problem {
    match failure {
        Broken::Store(failure) => problems::store(failure),
        Broken::Unwritten(failure) => defect(failure),
    }
}

fn defect(failure: Unwritten) -> Problem {
    error!(error = chain(failure.as_ref()), "an export cannot be written");
    problems::defect()
}
