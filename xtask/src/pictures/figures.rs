//! Figures over time: counts as bars beside each other, percentiles as curves that break off where there is nothing.

use serde_json::Value;

use super::page::{Page, day, list, text};
use super::sheet::{Anchor, MARGIN, RIGHT, Sheet, TOP, length};
use crate::failure::Failure;

/// The stretch that both drawings share.
const HIGH: f64 = TOP + 44.0;
const HEIGHT: f64 = 170.0;
/// The free stretch between the two.
const GAP: f64 = 64.0;

pub(super) fn draw(page: &Page) -> Result<Sheet, Failure> {
    let answer = page.answer(0)?;
    let rows = list(&answer["results"]);
    let sheet = Sheet::new(
        "What happened on each day?",
        "Counts start at 0. A percentile of nothing is null, so that its curve ends.",
    );
    let middle = f64::midpoint(MARGIN, RIGHT);
    let column = |name: &str| {
        let columns = list(&answer["columns"]).iter().filter(|column| column["kind"] == "metric");
        let place = columns.enumerate().find(|(_, column)| column["name"] == name).map(|(place, _)| place);
        let place = place.ok_or_else(|| page.unexpected(&format!("there is no metric {name:?}")))?;
        let of = |row: &Value| row["metrics"][place].as_f64();
        Ok::<Vec<Option<f64>>, Failure>(rows.iter().map(of).collect())
    };
    let days: Vec<String> = rows.iter().map(|row| day(text(&row["dimensions"][0], ""))).collect();
    let (left, right) = ((MARGIN, middle - GAP / 2.0), (middle + GAP / 2.0, RIGHT));
    let counts = [
        ("events", "bar", column("events")?),
        ("sessions", "second", column("sessions")?),
        ("visitors", "third", column("visitors")?),
    ];
    let sheet = bars(frame(sheet, left, &days, most(&counts)), left, &counts);
    let times = [("p90", "curve", column("p90:metadata.ms")?), ("p50", "curve of-second", column("p50:metadata.ms")?)];
    let sheet = curves(frame(sheet, right, &days, most(&times)), right, &times);
    Ok(sheet.end(HIGH + HEIGHT + 24.0))
}

type Series = (&'static str, &'static str, Vec<Option<f64>>);

/// The end of the axis: the least of 1, 2, 3 and 6 times a power of ten that nothing exceeds.
fn most(series: &[Series]) -> f64 {
    let greatest = series.iter().flat_map(|(_, _, figures)| figures.iter().flatten()).copied().fold(1.0, f64::max);
    let mut power = 1.0;
    loop {
        if let Some(end) = [1.0, 2.0, 3.0, 6.0].map(|step| step * power).into_iter().find(|end| *end >= greatest) {
            return end;
        }
        power *= 10.0;
    }
}

/// A sheet with the axes drawn, and where a figure lies on them.
struct Framed {
    sheet: Sheet,
    most: f64,
    days: f64,
}

impl Framed {
    fn height(&self, figure: f64) -> f64 {
        HEIGHT * figure / self.most
    }
}

fn frame(mut sheet: Sheet, (left, right): (f64, f64), days: &[String], most: f64) -> Framed {
    for part in 0..4_u8 {
        let share = f64::from(part) / 3.0;
        let y = HIGH + HEIGHT * (1.0 - share);
        sheet.line((left + 30.0, y), (right, y), if part == 0 { "axis" } else { "line" });
        sheet.text_at(left + 24.0, y + 4.0, Anchor::End, "small", &format!("{:.0}", most * share));
    }
    let each = (right - left - 30.0) / days.len() as f64;
    for (place, day) in days.iter().enumerate() {
        sheet.text_at(left + 30.0 + (place as f64 + 0.5) * each, HIGH + HEIGHT + 20.0, Anchor::Middle, "quiet", day);
    }
    Framed { sheet, most, days: days.len() as f64 }
}

fn bars(framed: Framed, (left, right): (f64, f64), series: &[Series]) -> Sheet {
    let each = (right - left - 30.0) / framed.days;
    let width = (each - 24.0) / series.len() as f64;
    let heights: Vec<Vec<f64>> = series
        .iter()
        .map(|(_, _, figures)| figures.iter().map(|figure| framed.height(figure.unwrap_or(0.0))).collect())
        .collect();
    let mut sheet = framed.sheet;
    let mut legend = left + 30.0;
    for ((name, class, _), heights) in series.iter().zip(heights) {
        sheet.rectangle([legend, TOP + 2.0, 10.0, 10.0], 2.0, class);
        sheet.text_at(legend + 16.0, TOP + 11.0, Anchor::Start, "quiet", name);
        legend += 34.0 + length(name, "quiet");
        let place = series.iter().position(|(other, _, _)| other == name).unwrap_or(0);
        for (day, height) in heights.into_iter().enumerate().filter(|(_, height)| *height > 0.0) {
            let x = left + 30.0 + day as f64 * each + 12.0 + place as f64 * width;
            sheet.rectangle([x + 1.0, HIGH + HEIGHT - height, width - 2.0, height], 3.0, class);
        }
    }
    sheet
}

fn curves(framed: Framed, (left, right): (f64, f64), series: &[Series]) -> Sheet {
    let each = (right - left - 30.0) / framed.days;
    let x = |day: usize| left + 30.0 + (day as f64 + 0.5) * each;
    let places: Vec<Vec<Option<(f64, f64)>>> = series
        .iter()
        .map(|(_, _, figures)| {
            let place = |(day, figure): (usize, &Option<f64>)| {
                figure.map(|figure| (x(day), HIGH + HEIGHT - framed.height(figure)))
            };
            figures.iter().enumerate().map(place).collect()
        })
        .collect();
    let mut sheet = framed.sheet;
    let mut legend = left + 30.0;
    let mut told: Vec<(f64, f64)> = Vec::new();
    for ((name, class, figures), places) in series.iter().zip(places) {
        sheet.line((legend, TOP + 7.0), (legend + 14.0, TOP + 7.0), class);
        let name = format!("{name} of ms");
        sheet.text_at(legend + 20.0, TOP + 11.0, Anchor::Start, "quiet", &name);
        legend += 38.0 + length(&name, "quiet");
        for pair in places.windows(2) {
            if let [Some(from), Some(to)] = *pair {
                sheet.line(from, to, class);
            }
        }
        let dot = if class.contains("second") { "second" } else { "bar" };
        for (day, (place, figure)) in places.iter().zip(figures).enumerate() {
            let (Some(place), Some(figure)) = (place, figure) else { continue };
            sheet.dot(*place, 4.0, dot);
            // Two curves may meet.
            if told.contains(place) {
                continue;
            }
            told.push(*place);
            let figure = format!("{figure:.0}");
            // Beside the end of a curve, where no curve lies.
            if places.get(day + 1).is_some_and(Option::is_some) {
                sheet.text_at(place.0, place.1 - 10.0, Anchor::Middle, "small", &figure);
            } else {
                sheet.text_at(place.0 + 10.0, place.1 + 4.0, Anchor::Start, "small", &figure);
            }
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_with_a_round_number() {
        let ends = [0.0, 1.0, 2.5, 5.0, 61.0, 536.0].map(|figure| most(&[("x", "bar", vec![Some(figure), None])]));
        assert_eq!(ends, [1.0, 1.0, 3.0, 6.0, 100.0, 600.0]);
    }
}
