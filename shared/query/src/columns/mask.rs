//! Which events of a quarter pass filters: each filter looks at each distinct value once.

use analytics_columns::Corrupt;

use super::values::{FieldValue, Fields, Values};
use crate::filter::{number_holds, text_holds};
use crate::{Field, Filter};

/// For each event whether it passes all filters; `None` where there is no filter.
pub(crate) fn mask(filters: &[Filter], fields: &mut Fields<'_>) -> Result<Option<Vec<bool>>, Corrupt> {
    let mut all: Option<Vec<bool>> = None;
    for filter in filters {
        let next = one(filter, fields)?;
        all = Some(match all {
            None => next,
            Some(all) => joined(all, &next, |a, b| a && b),
        });
    }
    Ok(all)
}

fn one(filter: &Filter, fields: &mut Fields<'_>) -> Result<Vec<bool>, Corrupt> {
    Ok(match filter {
        Filter::And(filters) => folded(filters, fields, |a, b| a && b)?,
        Filter::Or(filters) => folded(filters, fields, |a, b| a || b)?,
        Filter::Not(filter) => one(filter, fields)?.into_iter().map(|passes| !passes).collect(),
        Filter::Text { field, .. } | Filter::Exists { field, .. } => {
            of_values(&*fields.values(field)?, |value| passes(filter, value))
        }
        Filter::Number { property, .. } => {
            of_values(&*fields.values(&Field::Metadata(property.clone()))?, |value| passes(filter, value))
        }
        // Never asked: a question that holds a deed is answered from rows, since a quarter does not tell what its people did in
        // the rest of the range.
        Filter::Deed { .. } => vec![false; fields.events()],
    })
}

/// Whether an event passes a filter that looks at one field alone, in which it has this value.
pub(super) fn passes(filter: &Filter, value: FieldValue<'_>) -> bool {
    match filter {
        Filter::And(filters) => filters.iter().all(|filter| passes(filter, value)),
        Filter::Or(filters) => filters.iter().any(|filter| passes(filter, value)),
        Filter::Not(filter) => !passes(filter, value),
        Filter::Text { operator, values, case_sensitive, .. } => {
            let (operator, negated) = operator.positive();
            let text = value.text();
            let is_one = |text: &str| values.iter().any(|other| text_holds(operator, text, other, *case_sensitive));
            text.is_some_and(|text| is_one(&text)) != negated
        }
        Filter::Number { operator, values, .. } => {
            value.number().is_some_and(|number| number_holds(*operator, number, values))
        }
        Filter::Exists { there, .. } => value.exists() == *there,
        // As in `one`.
        Filter::Deed { .. } => false,
    }
}

fn folded(
    filters: &[Filter],
    fields: &mut Fields<'_>,
    join: impl Fn(bool, bool) -> bool,
) -> Result<Vec<bool>, Corrupt> {
    let mut all: Option<Vec<bool>> = None;
    for filter in filters {
        let next = one(filter, fields)?;
        all = Some(match all {
            None => next,
            Some(all) => joined(all, &next, &join),
        });
    }
    // There is at least one filter in a list.
    Ok(all.unwrap_or_default())
}

fn joined(mut all: Vec<bool>, next: &[bool], join: impl Fn(bool, bool) -> bool) -> Vec<bool> {
    all.iter_mut().zip(next).for_each(|(all, next)| *all = join(*all, *next));
    all
}

fn of_values<'s>(values: &Values<'s>, holds: impl Fn(FieldValue<'s>) -> bool) -> Vec<bool> {
    let by_code: Vec<bool> = values.values.iter().copied().map(holds).collect();
    values.codes.iter().map(|code| by_code.get(*code as usize).copied().unwrap_or(false)).collect()
}
