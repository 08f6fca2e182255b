//! An export: the rows of the file in CSV as a spreadsheet shows them.

use super::page::Page;
use super::sheet::{Sheet, TOP};
use super::table;
use crate::failure::Failure;

/// What is shown; ids and times of receipt are long and told by the page.
const SHOWN: [&str; 6] = ["timestamp", "session_id", "user_id", "event_type", "event_action", "metadata"];

pub(super) fn draw(page: &Page) -> Result<Sheet, Failure> {
    let mut lines = page.block("csv answer", 0)?.lines().map(fields);
    let heads = lines.next().unwrap_or_default();
    let mut places = Vec::new();
    for name in SHOWN {
        let place = heads.iter().position(|head| head == name);
        places.push(place.ok_or_else(|| page.unexpected(&format!("there is no column {name:?}")))?);
    }
    let rows: Vec<Vec<String>> = lines
        .map(|fields| {
            let cell = |place: &usize| fields.get(*place).cloned().unwrap_or_default();
            let short = |cell: String| cell.strip_suffix(".000000Z").map_or(cell.clone(), |time| format!("{time}Z"));
            places.iter().map(cell).map(short).collect()
        })
        .collect();
    let title = "Events as a file";
    let mut sheet = Sheet::new(
        title,
        "A line an event, oldest first. What a spreadsheet would take for a formula has a ' before it.",
    );
    let bottom = table::rows(&mut sheet, TOP, &SHOWN, &rows);
    Ok(sheet.end(bottom - 8.0))
}

/// The fields of a line; none of them holds a line end here.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    let mut rest = line.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '"' if is_quoted && rest.peek() == Some(&'"') => {
                rest.next();
                fields.last_mut().into_iter().for_each(|field| field.push('"'));
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            _ => fields.last_mut().into_iter().for_each(|field| field.push(char)),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn a_line_is_taken_apart() {
        assert_eq!(fields(r#"a,,"{""b"":1,""c"":""""}",'=1"#), ["a", "", r#"{"b":1,"c":""}"#, "'=1"]);
    }
}
