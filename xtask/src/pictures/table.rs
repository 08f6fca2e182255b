//! Rows and columns of texts.

use super::sheet::{Anchor, MARGIN, RIGHT, Sheet, length};

const ROW: f64 = 34.0;

/// Draws a table below `top`, its columns as wide as what is in them; gives the sheet's new bottom.
pub(super) fn rows(sheet: &mut Sheet, top: f64, heads: &[&str], rows: &[Vec<String>]) -> f64 {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| length(cell, "quiet"));
        cells.chain([length(heads[column], "small")]).fold(0.0, f64::max)
    };
    let widths: Vec<f64> = (0..heads.len()).map(width).collect();
    let free = (RIGHT - MARGIN - widths.iter().sum::<f64>()) / (heads.len().max(2) - 1) as f64;
    let mut x = MARGIN;
    let mut lefts = Vec::new();
    for width in &widths {
        lefts.push(x);
        x += width + free;
    }
    for (left, head) in lefts.iter().zip(heads) {
        sheet.text_at(*left, top + 8.0, Anchor::Start, "small", head);
    }
    let mut y = top + 18.0;
    for row in rows {
        sheet.line((MARGIN, y), (RIGHT, y), "line");
        for (left, cell) in lefts.iter().zip(row) {
            sheet.text_at(*left, y + ROW / 2.0 + 4.0, Anchor::Start, "quiet", cell);
        }
        y += ROW;
    }
    y
}
