//! Which events of a quarter pass filters: each filter looks at each distinct value once.

use analytics_columns::Corrupt;

use super::values::{FieldValue, Fields, Values};
use crate::Filter;
use crate::filter::{number_holds, text_holds};

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
        Filter::Text { operator, field, values, case_sensitive } => {
            let (operator, negated) = operator.positive();
            of_values(&*fields.values(field)?, |value| {
                let text = value.text();
                let holds = text
                    .is_some_and(|text| values.iter().any(|other| text_holds(operator, &text, other, *case_sensitive)));
                holds != negated
            })
        }
        Filter::Number { operator, property, values } => {
            let field = crate::Field::Metadata(property.clone());
            of_values(&*fields.values(&field)?, |value| {
                value.number().is_some_and(|number| number_holds(*operator, number, values))
            })
        }
        Filter::Exists { field, there } => of_values(&*fields.values(field)?, |value| value.exists() == *there),
        // Never asked: a question that holds a deed is answered from rows, since a quarter does not tell what its people did in
        // the rest of the range.
        Filter::Deed { .. } => vec![false; fields.events()],
    })
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
