//! A funnel: a bar for each step, what goes on between them, and the same in small for each value of the breakdown.

use serde_json::Value;

use super::page::{Page, list, number, percent, text};
use super::sheet::{Anchor, MARGIN, RIGHT, Sheet, TOP};
use crate::failure::Failure;

/// Where bars begin.
const BARS: f64 = 172.0;
const BAR_HEIGHT: f64 = 34.0;
const BETWEEN: f64 = 34.0;

pub(super) fn draw(page: &Page) -> Result<Sheet, Failure> {
    let answer = page.answer(0)?;
    let steps = list(&answer["steps"]);
    let first = steps.first().map(|step| number(&step["count"])).filter(|count| *count > 0.0);
    let first = first.ok_or_else(|| page.unexpected("the funnel has no steps"))?;
    let mut sheet =
        Sheet::new("How far do they get?", "Persons at each step, and the median time from the step before.");
    let widest = RIGHT - BARS - 44.0;
    let mut y = TOP;
    for step in steps {
        if y > TOP {
            let goes_on = percent(number(&step["ratio_previous"]));
            let time = number(&step["median_seconds"]) / 60.0;
            sheet.text_at(
                BARS + 14.0,
                y - BETWEEN / 2.0 + 4.0,
                Anchor::Start,
                "quiet",
                &format!("↓  {goes_on} go on, after {time:.0} min"),
            );
        }
        let middle = y + BAR_HEIGHT / 2.0 + 5.0;
        let width = widest * number(&step["count"]) / first;
        sheet.text_at(MARGIN, middle, Anchor::Start, "strong", text(&step["name"], ""));
        sheet.rectangle([BARS, y, widest, BAR_HEIGHT], 6.0, "track");
        sheet.rectangle([BARS, y, width, BAR_HEIGHT], 6.0, "bar");
        sheet.text_at(BARS + 14.0, middle, Anchor::Start, "on", &percent(number(&step["ratio_first"])));
        sheet.text_at(RIGHT, middle, Anchor::End, "big", &step["count"].to_string());
        y += BAR_HEIGHT + BETWEEN;
    }
    y -= BETWEEN;
    Ok(match list(&answer["breakdown"]) {
        [] => sheet.end(y),
        values => breakdown(sheet, y + 26.0, steps, values),
    })
}

/// A row for each value, and in it a small bar for each step.
fn breakdown(mut sheet: Sheet, top: f64, steps: &[Value], values: &[Value]) -> Sheet {
    sheet.line((MARGIN, top), (RIGHT, top), "line");
    let column = (RIGHT - BARS) / steps.len() as f64;
    let most = values.iter().map(|value| number(&value["steps"][0]["count"])).fold(1.0, f64::max);
    let mut y = top + 26.0;
    sheet.text_at(MARGIN, y, Anchor::Start, "quiet", "by country");
    for (place, step) in steps.iter().enumerate() {
        sheet.text_at(BARS + place as f64 * column, y, Anchor::Start, "quiet", text(&step["name"], ""));
    }
    for value in values {
        y += 28.0;
        sheet.text_at(MARGIN, y, Anchor::Start, "", text(&value["value"], "none given"));
        for (place, step) in list(&value["steps"]).iter().enumerate() {
            let x = BARS + place as f64 * column;
            let track = column - 52.0;
            sheet.rectangle([x, y - 10.0, track, 12.0], 3.0, "track");
            let width = track * number(&step["count"]) / most;
            if width > 0.0 {
                sheet.rectangle([x, y - 10.0, width, 12.0], 3.0, "bar");
            }
            sheet.text_at(x + track + 10.0, y, Anchor::Start, "", &step["count"].to_string());
        }
    }
    sheet.end(y + 4.0)
}
