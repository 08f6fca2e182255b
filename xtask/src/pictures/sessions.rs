//! Sessions: how long each was, on one axis of minutes, and what it began and ended with.

use super::page::{Page, clock, day, list, number, text};
use super::sheet::{Anchor, MARGIN, RIGHT, Sheet, TOP};
use crate::failure::Failure;

/// Where and how far the axis goes.
const LEFT: f64 = 220.0;
const END: f64 = 520.0;
const ROW: f64 = 58.0;

pub(super) fn draw(page: &Page) -> Result<Sheet, Failure> {
    let answer = page.answer(0)?;
    let sessions = list(&answer["results"]);
    let longest = sessions.iter().map(|session| number(&session["duration_seconds"])).fold(60.0, f64::max);
    let minutes = (longest / 60.0 / 4.0).ceil();
    let place = |seconds: f64| LEFT + (END - LEFT) * seconds / (minutes * 4.0 * 60.0);
    let mut sheet = Sheet::new(
        "What happened in one go?",
        "Sessions, newest first: how long each took, and its first and last action.",
    );
    let bottom = TOP + 20.0 + ROW * sessions.len() as f64;
    for tick in 0..5_u8 {
        let x = place(f64::from(tick) * minutes * 60.0);
        sheet.line((x, TOP + 16.0), (x, bottom), "line");
        sheet.text_at(x, TOP + 6.0, Anchor::Middle, "small", &format!("{:.0} min", f64::from(tick) * minutes));
    }
    for (row, session) in sessions.iter().enumerate() {
        let y = TOP + 20.0 + (row as f64 + 0.5) * ROW;
        let (started, ended) = (text(&session["started_at"], ""), text(&session["ended_at"], ""));
        let who = text(&session["user_id"], "nobody known");
        sheet.text_at(
            MARGIN,
            y - 3.0,
            Anchor::Start,
            "strong",
            &format!("{}  ·  {who}", text(&session["session_id"], "")),
        );
        let times = format!("{}, {} to {}", day(started), clock(started), clock(ended));
        sheet.text_at(MARGIN, y + 15.0, Anchor::Start, "quiet", &times);
        let width = place(number(&session["duration_seconds"])) - LEFT;
        sheet.rectangle([LEFT - 7.0, y - 7.0, width + 14.0, 14.0], 7.0, "bar");
        let (first, last) = (text(&session["entry_action"], ""), text(&session["exit_action"], ""));
        sheet.text_at(END + 24.0, y - 3.0, Anchor::Start, "strong", &format!("{first} → {last}"));
        sheet.text_at(END + 24.0, y + 15.0, Anchor::Start, "quiet", &format!("{} events", session["events"]));
        if row > 0 {
            sheet.line((MARGIN, y - ROW / 2.0), (RIGHT, y - ROW / 2.0), "line");
        }
    }
    Ok(sheet.end(bottom))
}
