//! Retention: a row for each cohort, a cell for each unit after its start.

use super::page::{Page, day, list, number, percent, text};
use super::sheet::{Anchor, MARGIN, RIGHT, Sheet, TOP};
use crate::failure::Failure;

/// Where cells begin.
const CELLS: f64 = 226.0;
const HEIGHT: f64 = 52.0;
const BETWEEN: f64 = 8.0;
/// The share from which on a cell is so deep that what stands in it is light.
const DEEP: f64 = 0.85;

pub(super) fn draw(page: &Page) -> Result<Sheet, Failure> {
    let answer = page.answer(0)?;
    let cohorts = list(&answer["cohorts"]);
    let periods = cohorts.first().map_or(0, |cohort| list(&cohort["cells"]).len());
    if periods == 0 {
        return Err(page.unexpected("the cohorts have no cells"));
    }
    let mut sheet = Sheet::new(
        "Who comes back?",
        "Of those who signed up in a week, how many opened the app in it and in the weeks after.",
    );
    let column = (RIGHT - CELLS + BETWEEN) / periods as f64;
    let mut y = TOP + 6.0;
    sheet.text_at(MARGIN, y, Anchor::Start, "quiet", "week of");
    sheet.text_at(CELLS - 28.0, y, Anchor::End, "quiet", "signed up");
    for period in 0..periods {
        let middle = CELLS + (period as f64 + 0.5) * column - BETWEEN / 2.0;
        sheet.text_at(middle, y, Anchor::Middle, "quiet", &format!("week {period}"));
    }
    y += 14.0;
    for cohort in cohorts {
        let middle = y + HEIGHT / 2.0 + 5.0;
        sheet.text_at(MARGIN, middle, Anchor::Start, "strong", &day(text(&cohort["start"], "")));
        sheet.text_at(CELLS - 28.0, middle, Anchor::End, "", &cohort["size"].to_string());
        for (period, cell) in list(&cohort["cells"]).iter().enumerate() {
            let x = CELLS + period as f64 * column;
            let place = [x, y, column - BETWEEN, HEIGHT];
            let share = number(&cell["count"]) / number(&cell["out_of"]).max(1.0);
            sheet.rectangle(place, 8.0, "track");
            if share > 0.0 {
                sheet.shade(place, 8.0, "bar", 0.12 + 0.88 * share);
            }
            if cell["incomplete"] == true {
                sheet.rectangle(
                    [x + 3.0, y + 3.0, column - BETWEEN - 6.0, HEIGHT - 6.0],
                    6.0,
                    if share > DEEP { "open-on" } else { "open" },
                );
            }
            let (big, small) = match share {
                0.0 => ("big", "small"),
                _ if share > DEEP => ("big on", "small on"),
                _ => ("big", "small ink"),
            };
            let center = x + (column - BETWEEN) / 2.0;
            sheet.text_at(center, y + 25.0, Anchor::Middle, big, &percent(share));
            sheet.text_at(center, y + 41.0, Anchor::Middle, small, &format!("{} of {}", cell["count"], cell["out_of"]));
        }
        y += HEIGHT + BETWEEN;
    }
    sheet.rectangle([CELLS, y + 8.0, 18.0, 14.0], 4.0, "open");
    sheet.text_at(CELLS + 28.0, y + 19.0, Anchor::Start, "quiet", "not over yet: more may come");
    Ok(sheet.end(y + 22.0))
}
