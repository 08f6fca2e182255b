//! Formulas over metrics, by their sentence: `+ - * /` and parentheses, decimal numbers, any metric.

use super::OracleError;
use super::question::Metric;

/// A formula, or what stands in one.
#[derive(Debug, Clone)]
pub(super) enum Formula {
    Number(f64),
    Metric(Box<Metric>),
    Operation(char, Box<Formula>, Box<Formula>),
}

impl Formula {
    /// Whether a metric's name is more than a name: something joins or encloses its parts.
    pub(super) fn is_one(text: &str) -> bool {
        let text = text.trim();
        text.starts_with('(') || !operators(text).is_empty()
    }

    pub(super) fn parse(text: &str) -> Result<Self, OracleError> {
        let text = text.trim();
        let found = operators(text);
        // What is done last stands farthest to the right among the weakest.
        for kinds in [['+', '-'], ['*', '/']] {
            if let Some((position, sign)) = found.iter().rev().find(|(_, sign)| kinds.contains(sign)) {
                let (left, right) = (&text[..*position], &text[*position + 1..]);
                return Ok(Self::Operation(*sign, Box::new(Self::parse(left)?), Box::new(Self::parse(right)?)));
            }
        }
        if let Some(inner) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
            return Self::parse(inner);
        }
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            let wrong = || OracleError::new("metrics", format!("a number, not {text:?}"));
            return text.parse().map(Self::Number).map_err(|_| wrong());
        }
        Metric::parse(text).map(|metric| Self::Metric(Box::new(metric)))
    }

    /// What it comes to: null in, null out; a division by 0 is null, and so is what no double can hold.
    pub(super) fn value(&self, figure: &dyn Fn(&Metric) -> Option<f64>) -> Option<f64> {
        let value = match self {
            Self::Number(number) => *number,
            Self::Metric(metric) => figure(metric)?,
            Self::Operation(sign, left, right) => {
                let (left, right) = (left.value(figure)?, right.value(figure)?);
                match sign {
                    '+' => left + right,
                    '-' => left - right,
                    '*' => left * right,
                    _ if right == 0.0 => return None,
                    _ => left / right,
                }
            }
        };
        value.is_finite().then_some(value + 0.0)
    }
}

/// The operators that stand in no parentheses and no quotes, with their places. Behind a colon, up to the next white space or
/// other sign, is a path, whose keys may hold a minus.
fn operators(text: &str) -> Vec<(usize, char)> {
    let mut found = Vec::new();
    let (mut depth, mut in_quotes, mut escaped, mut in_path) = (0, false, false, false);
    for (position, c) in text.char_indices() {
        if in_quotes {
            in_quotes = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '"' => in_quotes = true,
            '(' => depth += 1,
            ')' => depth -= 1,
            '-' if in_path => continue,
            '+' | '-' | '*' | '/' if depth == 0 => found.push((position, c)),
            _ => {}
        }
        in_path = match c {
            ':' => true,
            '+' | '-' | '*' | '/' | '(' | ')' => false,
            _ => in_path && !c.is_whitespace(),
        };
    }
    found
}
