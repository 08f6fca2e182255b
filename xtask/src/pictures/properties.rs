//! Properties: in how many events each is, of which types, and what it holds.

use super::page::{Page, list, number, text};
use super::sheet::{Anchor, MARGIN, RIGHT, Sheet, TOP, length};
use crate::failure::Failure;

const BARS: f64 = 216.0;
const BAR: f64 = 130.0;
const TYPES: f64 = 392.0;
const ROW: f64 = 38.0;

pub(super) fn draw(page: &Page) -> Result<Sheet, Failure> {
    let answer = page.answer(0)?;
    let properties = list(&answer["results"]);
    let most = properties.iter().map(|property| number(&property["count"])).fold(1.0, f64::max);
    let mut sheet = Sheet::new(
        "What can be asked for?",
        "In how many events each property is, of which types, and its least and greatest value.",
    );
    for (x, head) in [(MARGIN, "property"), (BARS, "events"), (TYPES, "types"), (RIGHT, "examples")] {
        let anchor = if head == "examples" { Anchor::End } else { Anchor::Start };
        sheet.text_at(x, TOP + 8.0, anchor, "small", head);
    }
    let mut y = TOP + 18.0;
    for property in properties {
        let middle = y + ROW / 2.0 + 4.0;
        sheet.line((MARGIN, y), (RIGHT, y), "line");
        sheet.text_at(MARGIN, middle, Anchor::Start, "strong", text(&property["name"], ""));
        sheet.rectangle([BARS, middle - 10.0, BAR, 12.0], 3.0, "track");
        sheet.rectangle([BARS, middle - 10.0, BAR * number(&property["count"]) / most, 12.0], 3.0, "bar");
        sheet.text_at(BARS + BAR + 10.0, middle, Anchor::Start, "", &property["count"].to_string());
        let mut x = TYPES;
        for (kind, count) in property["types"].as_object().into_iter().flatten() {
            let told = if *count == property["count"] { kind.clone() } else { format!("{kind} {count}") };
            let width = length(&told, "small") + 16.0;
            sheet.rectangle([x, middle - 14.0, width, 20.0], 10.0, "chip");
            sheet.text_at(x + width / 2.0, middle, Anchor::Middle, "small", &told);
            x += width + 6.0;
        }
        let examples: Vec<&str> = list(&property["examples"]).iter().map(|example| text(example, "")).collect();
        sheet.text_at(RIGHT, middle, Anchor::End, "quiet", &examples.join(" … "));
        y += ROW;
    }
    Ok(sheet.end(y - 8.0))
}
