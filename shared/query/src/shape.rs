//! From the rows of the store to the answer: fill, pair, order, page.

use std::collections::HashMap;

use crate::answer::{Column, ColumnKind, DataType, Exactness, Figure, Meta, ResultRow, Source};
use crate::cursor::{Cursor, Position};
use crate::plan::{Plan, ROW_BUDGET};
use crate::row_order::{Line, RowOrder};
use crate::selection::{From, Selection};
use crate::{Answer, Cell, Dimension, QueryError, Row};

/// The texts of the dimensions that are not time.
type Tuple = Vec<Option<String>>;

/// The figures of one selection: for each tuple, by bucket (`None` without buckets).
struct Found {
    tuples: HashMap<Tuple, HashMap<Option<usize>, Vec<Figure>>>,
    /// The buckets from the first that the range touches to the one that now or the newest event lies in.
    filled: Option<std::ops::Range<usize>>,
}

pub(crate) fn shape(plan: &Plan, rows: Vec<Vec<Row>>) -> Result<Answer, QueryError> {
    let mut rows = rows.into_iter();
    let main = found(plan, &plan.main, rows.next().unwrap_or_default())?;
    let compared = match &plan.compared {
        Some(selection) => Some(found(plan, selection, rows.next().unwrap_or_default())?),
        None => None,
    };
    let nothing = plan.tally.figures(&[]);
    let mut lines = Vec::new();
    for (tuple, figures) in &main.tuples {
        match &main.filled {
            None => lines.extend(figures.iter().map(|(bucket, figures)| Line { bucket: *bucket, tuple, figures })),
            Some(filled) => lines.extend(filled.clone().map(|bucket| Line {
                bucket: Some(bucket),
                tuple,
                figures: figures.get(&Some(bucket)).unwrap_or(&nothing),
            })),
        }
    }
    let order = RowOrder::new(&plan.question);
    lines.sort_unstable_by(|a, b| order.compare(a, b));

    let total = lines.len();
    let begin = usize::try_from(plan.offset).unwrap_or(usize::MAX).min(total);
    let end = begin.saturating_add(plan.question.limit as usize).min(total);
    let names = bucket_names(plan, &main);
    let results = lines
        .get(begin..end)
        .unwrap_or_default()
        .iter()
        .map(|line| ResultRow {
            dimensions: dimensions(plan, line, &names),
            metrics: line.figures.to_vec(),
            comparison: compared.as_ref().map(|compared| partner(compared, line, &nothing)),
        })
        .collect();
    let next = (end < total).then(|| {
        let cursor = Cursor { resolved: plan.resolved, position: Position::Offset(end as u64) };
        cursor.write(&plan.project, &plan.asked)
    });
    Ok(Answer {
        results,
        columns: columns(plan),
        meta: Meta {
            source: source(plan),
            exact: Exactness::Exact(true),
            fresh_as_of: plan.newest_receipt,
            incomplete_buckets: incomplete(plan, &main, &names),
            total_rows: total as u64,
            rows_read: 0,
            next_cursor: next,
            cached: false,
            took_ms: 0,
            warnings: plan.warnings.clone(),
        },
        query: plan.query.clone(),
    })
}

fn found(plan: &Plan, selection: &Selection, rows: Vec<Row>) -> Result<Found, QueryError> {
    let texts = plan.question.dimensions.iter().filter(|dimension| matches!(dimension, Dimension::Field(_))).count();
    let mut tuples: HashMap<Tuple, HashMap<Option<usize>, Vec<Figure>>> = HashMap::new();
    if rows.len() > ROW_BUDGET {
        return Err(too_large());
    }
    if texts == 0 {
        // A question without such dimensions is about everything, also where that is nothing.
        tuples.insert(Vec::new(), HashMap::new());
    }
    let mut newest = None;
    for row in rows {
        let mut cells = row.into_iter();
        let bucket = selection.buckets.as_ref().map(|_| match cells.next() {
            Some(Cell::Int(index)) => usize::try_from(index).unwrap_or(0),
            _ => 0,
        });
        newest = newest.max(bucket);
        let tuple = cells.by_ref().take(texts).map(|cell| if let Cell::Text(text) = cell { Some(text) } else { None });
        let tuple: Tuple = tuple.collect();
        let measures: Vec<Cell> = cells.take(plan.tally.width()).collect();
        tuples.entry(tuple).or_default().insert(bucket, plan.tally.figures(&measures));
    }
    let filled = selection.buckets.as_ref().map(|buckets| {
        if selection.range.from >= selection.range.to {
            return 0..0;
        }
        let first = buckets.index_of(selection.range.from).unwrap_or(0);
        let now = buckets.index_of(plan.resolved.now);
        first..now.max(newest).map_or(first, |last| last + 1)
    });
    let count = match &filled {
        Some(filled) => tuples.len().saturating_mul(filled.len()),
        None => tuples.len(),
    };
    if count > ROW_BUDGET {
        return Err(too_large());
    }
    if selection.buckets.is_none() && texts == 0 {
        let nothing = || plan.tally.figures(&[]);
        tuples.entry(Vec::new()).or_default().entry(None).or_insert_with(nothing);
    }
    Ok(Found { tuples, filled })
}

pub(crate) fn too_large() -> QueryError {
    let message = format!(
        "the answer has more than {ROW_BUDGET} rows, empty buckets counted; narrow date_range, ask for a longer interval, \
         leave out a dimension or add a filter"
    );
    QueryError::too_large("dimensions", message)
}

/// The names of the buckets of the answer, by index from the first filled one.
fn bucket_names(plan: &Plan, main: &Found) -> HashMap<usize, String> {
    let (Some(buckets), Some(filled)) = (&plan.main.buckets, &main.filled) else { return HashMap::new() };
    let named = |index| buckets.starts().get(index).map(|start| (index, plan.question.timezone.write(*start)));
    filled.clone().filter_map(named).collect()
}

fn dimensions(plan: &Plan, line: &Line<'_>, names: &HashMap<usize, String>) -> Vec<Option<String>> {
    let mut texts = line.tuple.iter();
    let value = |dimension: &Dimension| match dimension {
        Dimension::Time(_) => line.bucket.and_then(|bucket| names.get(&bucket).cloned()),
        Dimension::Field(_) => texts.next().cloned().flatten(),
    };
    plan.question.dimensions.iter().map(value).collect()
}

/// The figures of the same tuple at the same place of the range compared with.
fn partner(compared: &Found, line: &Line<'_>, nothing: &[Figure]) -> Option<Vec<Figure>> {
    let figures = compared.tuples.get(line.tuple)?;
    let is_there = match (&compared.filled, line.bucket) {
        (Some(filled), Some(bucket)) => filled.contains(&bucket),
        _ => true,
    };
    is_there.then(|| figures.get(&line.bucket).map_or_else(|| nothing.to_vec(), Clone::clone))
}

fn columns(plan: &Plan) -> Vec<Column> {
    let dimensions = plan.question.dimensions.iter().map(|dimension| Column {
        name: dimension.to_string(),
        kind: ColumnKind::Dimension,
        data_type: if matches!(dimension, Dimension::Time(_)) { DataType::Time } else { DataType::String },
        unit: None,
    });
    let metrics = plan.question.metrics.iter().map(|metric| Column {
        name: metric.to_string(),
        kind: ColumnKind::Metric,
        data_type: if metric.is_count() { DataType::Integer } else { DataType::Number },
        unit: None,
    });
    dimensions.chain(metrics).collect()
}

fn source(plan: &Plan) -> Source {
    let is_rollup = |selection: &Selection| !matches!(selection.from, From::Raw);
    match (is_rollup(&plan.main), plan.compared.as_ref().map(is_rollup)) {
        (true, None | Some(true)) => Source::Rollup,
        (false, None | Some(false)) => Source::Raw,
        _ => Source::Mixed,
    }
}

fn incomplete(plan: &Plan, main: &Found, names: &HashMap<usize, String>) -> Vec<String> {
    let (Some(buckets), Some(filled)) = (&plan.main.buckets, &main.filled) else { return Vec::new() };
    let open = |index: &usize| {
        let cut = buckets.starts().get(*index).is_some_and(|start| *start < plan.main.range.from);
        cut || buckets.end_of(*index) > plan.resolved.now.min(plan.main.range.to)
    };
    filled.clone().filter(open).filter_map(|index| names.get(&index).cloned()).collect()
}
