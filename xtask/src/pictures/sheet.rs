//! A sheet to draw on, which becomes an SVG that is readable on light and on dark.

use std::fmt::Write as _;

/// How wide every picture is.
pub(super) const WIDTH: f64 = 720.0;
/// What is left free at the sides.
pub(super) const MARGIN: f64 = 28.0;
/// The right end of what is drawn.
pub(super) const RIGHT: f64 = WIDTH - MARGIN;
/// Where the drawing begins, below the title.
pub(super) const TOP: f64 = 88.0;

/// The colours of a ground, and what is drawn on it: one look for all pictures.
const STYLE: &str = "\
.card{fill:#fff;stroke:#d8dee4}\
text{font-family:ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;font-size:13px;fill:#1f2328}\
.title{font-size:16px;font-weight:600}\
.strong{font-weight:600}\
.quiet{fill:#59636e;font-size:12px}\
.small{fill:#59636e;font-size:11px}\
.big{font-size:15px;font-weight:600}\
.on{fill:#fff}.small.on{fill:#e4ecff}.ink{fill:#1f2328}\
.track{fill:#eff2f5}\
.line{stroke:#d8dee4;fill:none}\
.axis{stroke:#8c959f;fill:none}\
.bar{fill:#2f6feb}.second{fill:#0e9384}.third{fill:#c2620c}\
.curve{stroke:#2f6feb;fill:none;stroke-width:2.5}.curve.of-second{stroke:#0e9384}\
.ring{fill:#fff;stroke:#2f6feb;stroke-width:2.5}\
.halo{fill:#2f6feb;fill-opacity:.16}\
.band{fill:#2f6feb;fill-opacity:.2}\
.zone{fill:#2f6feb;fill-opacity:.07}\
.open{fill:none;stroke:#59636e;stroke-dasharray:4 3}.open-on{fill:none;stroke:#fff;stroke-dasharray:4 3}\
.chip{fill:#eff2f5;stroke:#d8dee4}\
@media (prefers-color-scheme:dark){\
.card{fill:#151b23;stroke:#3d444d}\
text{fill:#f0f6fc}\
.quiet,.small{fill:#9da7b3}\
.on{fill:#fff}.small.on{fill:#dbe6ff}.ink{fill:#f0f6fc}\
.track{fill:#262c36}\
.line{stroke:#3d444d}\
.axis{stroke:#7d8590}\
.bar{fill:#3b7cf5}.second{fill:#1fa695}.third{fill:#e08a3c}\
.curve{stroke:#5a93ff}.curve.of-second{stroke:#2cc4b1}\
.ring{fill:#151b23;stroke:#5a93ff}\
.halo{fill:#5a93ff;fill-opacity:.25}\
.band{fill:#5a93ff;fill-opacity:.28}\
.zone{fill:#5a93ff;fill-opacity:.1}\
.open{stroke:#9da7b3}\
.chip{fill:#262c36;stroke:#3d444d}\
}";

/// Where a text begins, or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// The stretch that a text takes, by the width of common letters.
#[derive(Debug)]
struct Stretch {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    text: String,
}

/// What is drawn so far.
#[derive(Debug)]
pub(super) struct Sheet {
    title: String,
    description: String,
    body: String,
    texts: Vec<Stretch>,
    height: f64,
}

impl Sheet {
    /// A sheet with a title, and a sentence below it.
    pub(super) fn new(title: &str, description: &str) -> Self {
        let mut sheet = Self {
            title: title.to_owned(),
            description: description.to_owned(),
            body: String::new(),
            texts: Vec::new(),
            height: TOP,
        };
        sheet.text_at(MARGIN, 40.0, Anchor::Start, "title", title);
        sheet.text_at(MARGIN, 61.0, Anchor::Start, "quiet", description);
        sheet
    }

    /// Ends the drawing at `bottom`, below which the margin follows.
    pub(super) fn end(mut self, bottom: f64) -> Self {
        self.height = bottom + MARGIN;
        self
    }

    /// A rectangle with round corners.
    pub(super) fn rectangle(&mut self, [x, y, width, height]: [f64; 4], round: f64, class: &str) {
        let [x, y, width, height, round] = [x, y, width, height, round].map(short);
        self.put(&format!(r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{round}" class="{class}"/>"#));
    }

    /// A rectangle that lets the ground through: 1 is all colour, 0 none.
    pub(super) fn shade(&mut self, [x, y, width, height]: [f64; 4], round: f64, class: &str, share: f64) {
        let [x, y, width, height, round, share] = [x, y, width, height, round, share].map(short);
        self.put(&format!(
            r#"<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{round}" class="{class}" fill-opacity="{share}"/>"#
        ));
    }

    /// A straight line.
    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(short);
        self.put(&format!(r#"<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="{class}"/>"#));
    }

    /// A dot.
    pub(super) fn dot(&mut self, (x, y): (f64, f64), radius: f64, class: &str) {
        let [x, y, radius] = [x, y, radius].map(short);
        self.put(&format!(r#"<circle cx="{x}" cy="{y}" r="{radius}" class="{class}"/>"#));
    }

    /// A band of one height from one place to another that bends smoothly.
    pub(super) fn band(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), height: f64) {
        let middle = f64::midpoint(x1, x2);
        let [x1, y1, x2, y2, middle, low1, low2] = [x1, y1, x2, y2, middle, y1 + height, y2 + height].map(short);
        self.put(&format!(
            r#"<path d="M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}V{low2}C{middle} {low2} {middle} {low1} {x1} {low1}Z" class="band"/>"#
        ));
    }

    /// A text whose base line is at `y`.
    pub(super) fn text_at(&mut self, x: f64, y: f64, anchor: Anchor, class: &str, text: &str) {
        let (width, size) = (length(text, class), size(class));
        let left = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - width / 2.0,
            Anchor::End => x - width,
        };
        let stretch =
            Stretch { left, right: left + width, top: y - size * 0.8, bottom: y + size * 0.2, text: text.to_owned() };
        self.texts.push(stretch);
        let place = match anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let class = if class.is_empty() { String::new() } else { format!(r#" class="{class}""#) };
        self.put(&format!(r#"<text x="{}" y="{}"{place}{class}>{}</text>"#, short(x), short(y), escaped(text)));
    }

    fn put(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    /// The texts that lie on another one or outside, by what other letters than ours would take.
    pub(super) fn collisions(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (index, one) in self.texts.iter().enumerate() {
            if one.left < MARGIN - 1.0 || one.right > RIGHT + 1.0 || one.bottom > self.height - MARGIN / 2.0 {
                found.push(format!("{:?} sticks out", one.text));
            }
            let on = |other: &&Stretch| {
                one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom
            };
            found.extend(
                self.texts[index + 1..].iter().filter(on).map(|other| format!("{:?} on {:?}", other.text, one.text)),
            );
        }
        found
    }

    /// The whole document.
    pub(super) fn text(&self) -> String {
        let (height, width) = (short(self.height), short(WIDTH));
        let mut text = String::new();
        let _ = writeln!(
            text,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-labelledby="title description">"#
        );
        let _ = writeln!(text, r#"<title id="title">{}</title>"#, escaped(&self.title));
        let _ = writeln!(text, r#"<desc id="description">{}</desc>"#, escaped(&self.description));
        let _ = writeln!(text, "<style>{STYLE}</style>");
        let (inner_width, inner_height) = (short(WIDTH - 1.0), short(self.height - 1.0));
        let _ = writeln!(
            text,
            r#"<rect x="0.5" y="0.5" width="{inner_width}" height="{inner_height}" rx="10" class="card"/>"#
        );
        text.push_str(&self.body);
        text.push_str("</svg>\n");
        text
    }
}

/// How wide a text is about, rather too much than too little.
pub(super) fn length(text: &str, class: &str) -> f64 {
    text.chars().map(|_| size(class) * 0.56).sum()
}

fn size(class: &str) -> f64 {
    match class.split(' ').next().unwrap_or_default() {
        "title" => 16.0,
        "big" => 15.0,
        "quiet" => 12.0,
        "small" => 11.0,
        _ => 13.0,
    }
}

/// A coordinate with two decimals at most.
fn short(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_numbers_short() {
        assert_eq!(escaped(r#"a<b & "c">"#), "a&lt;b &amp; &quot;c&quot;&gt;");
        assert_eq!(["1", "1.5", "0.33", "-2"], [1.0, 1.5, 1.0 / 3.0, -2.0].map(short).each_ref().map(String::as_str));
    }

    #[test]
    fn texts_on_each_other_are_found() {
        let mut sheet = Sheet::new("A title", "What is to be seen.");
        sheet.text_at(MARGIN, 120.0, Anchor::Start, "", "first");
        sheet.text_at(MARGIN + 200.0, 120.0, Anchor::Middle, "", "second");
        assert!(sheet.collisions().is_empty() || sheet.height < 130.0);
        sheet.text_at(MARGIN + 10.0, 125.0, Anchor::Start, "", "third");
        sheet.text_at(RIGHT, 160.0, Anchor::Start, "", "fourth");
        let found = sheet.end(200.0).collisions();
        assert_eq!(found, ["\"third\" on \"first\"", "\"fourth\" sticks out"]);
    }
}
