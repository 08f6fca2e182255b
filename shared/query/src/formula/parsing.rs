//! Formulas from their text, with the place of what is wrong.

use super::{Constant, Formula, Operator, Term};
use crate::metric::ALLOWED;
use crate::{Metric, QueryError};

/// Longest text of a metric or formula, in characters.
pub const FORMULA_MAX: usize = 1_000;
/// Deepest nesting of parentheses.
pub const DEPTH_MAX: usize = 10;
/// Most metrics and numbers of a formula.
pub const OPERANDS_MAX: usize = 20;

/// A word, a number or a sign, and the character of the text at which it begins, counted from 1.
#[derive(Debug, Clone, Copy)]
struct Token<'t> {
    kind: Kind,
    text: &'t str,
    at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    /// A metric's name.
    Word,
    /// `+ - * / ( )`.
    Sign,
}

/// Reads a metric that is no plain word, or a formula. One that is nothing but a metric is that metric.
pub(crate) fn parse(text: &str, path: &str) -> Result<Metric, QueryError> {
    if text.chars().count() > FORMULA_MAX {
        return Err(QueryError::invalid(path, format!("a metric may have {FORMULA_MAX} characters")));
    }
    let tokens = tokens(text);
    if let [token @ Token { kind: Kind::Word, .. }] = tokens.as_slice() {
        return Metric::parse_plain(token.text, path);
    }
    let mut reader = Reader { tokens: &tokens, next: 0, depth: 0, operands: 0, path };
    let term = reader.sum()?;
    if let Some(token) = reader.peek() {
        let expected = "expected +, -, *, / or the end; a key with a space in it is quoted, metadata.\"a b\"";
        return Err(reader.wrong(token, expected));
    }
    match term {
        Term::Metric(metric) => Ok(*metric),
        term => {
            let formula = Formula(term);
            if formula.metrics().is_empty() {
                return Err(QueryError::invalid(path, format!("a formula has at least one metric: {ALLOWED}")));
            }
            Ok(Metric::Formula(formula))
        }
    }
}

/// Takes a text apart. Whatever it is, something comes out: what is no metric is found when it is read as one.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut at = 1;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = match first {
            _ if first.is_whitespace() => (None, first.len_utf8()),
            '+' | '-' | '*' | '/' | '(' | ')' => (Some(Kind::Sign), 1),
            '0'..='9' | '.' => (Some(Kind::Number), number_length(rest)),
            _ => (Some(Kind::Word), word_length(rest)),
        };
        let (token, behind) = rest.split_at(length);
        tokens.extend(kind.map(|kind| Token { kind, text: token, at }));
        at += token.chars().count();
        rest = behind;
    }
    tokens
}

fn number_length(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_').unwrap_or(text.len())
}

/// How long the metric is that a text begins with: a name ends at any sign, the path behind a colon not at a minus, and no
/// key in quotes ends it.
fn word_length(text: &str) -> usize {
    let mut in_path = false;
    let mut before = '\0';
    let mut position = 0;
    while let Some(c) = text[position..].chars().next() {
        match c {
            '"' if before == '.' => {
                let mut strings = serde_json::Deserializer::from_str(&text[position..]).into_iter::<String>();
                match strings.next() {
                    Some(Ok(_)) => position += strings.byte_offset(),
                    // A quote that is never closed: the whole rest is no path.
                    _ => return text.len(),
                }
                before = '"';
                continue;
            }
            '+' | '*' | '/' | '(' | ')' => break,
            '-' if !in_path => break,
            _ if c.is_whitespace() => break,
            ':' => in_path = true,
            _ => {}
        }
        before = c;
        position += c.len_utf8();
    }
    position
}

struct Reader<'t> {
    tokens: &'t [Token<'t>],
    next: usize,
    depth: usize,
    operands: usize,
    path: &'t str,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<Token<'t>> {
        self.tokens.get(self.next).copied()
    }

    /// The operator that comes next, where it is one of two.
    fn operator(&mut self, signs: [(&str, Operator); 2]) -> Option<Operator> {
        let token = self.peek().filter(|token| token.kind == Kind::Sign)?;
        let (_, operator) = signs.into_iter().find(|(sign, _)| *sign == token.text)?;
        self.next += 1;
        Some(operator)
    }

    fn sum(&mut self) -> Result<Term, QueryError> {
        let mut term = self.product()?;
        while let Some(operator) = self.operator([("+", Operator::Plus), ("-", Operator::Minus)]) {
            term = Term::Operation(operator, Box::new(term), Box::new(self.product()?));
        }
        Ok(term)
    }

    fn product(&mut self) -> Result<Term, QueryError> {
        let mut term = self.factor()?;
        while let Some(operator) = self.operator([("*", Operator::Times), ("/", Operator::Over)]) {
            term = Term::Operation(operator, Box::new(term), Box::new(self.factor()?));
        }
        Ok(term)
    }

    fn factor(&mut self) -> Result<Term, QueryError> {
        let expected = format!("expected a number, ( or a metric: {ALLOWED}");
        let Some(token) = self.peek() else {
            let message = if self.tokens.is_empty() { expected } else { format!("{expected}; the formula ends there") };
            return Err(QueryError::invalid(self.path, message));
        };
        self.next += 1;
        match token.kind {
            Kind::Sign if token.text == "(" => {
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return Err(self.wrong(token, &format!("parentheses may be nested {DEPTH_MAX} deep")));
                }
                let term = self.sum()?;
                self.depth -= 1;
                match self.peek() {
                    Some(Token { kind: Kind::Sign, text: ")", .. }) => self.next += 1,
                    Some(other) => return Err(self.wrong(other, "expected +, -, *, / or )")),
                    None => return Err(self.wrong(token, "the parenthesis is never closed")),
                }
                Ok(term)
            }
            Kind::Sign => Err(self.wrong(token, &expected)),
            Kind::Number => {
                self.count(token)?;
                let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
                let (whole, fraction) = token.text.split_once('.').unwrap_or((token.text, "0"));
                let number = token.text.parse().ok().filter(|number: &f64| number.is_finite());
                let number = number.filter(|_| digits(whole) && digits(fraction));
                let message = "expected a decimal number, such as 100 or 0.5";
                Ok(Term::Number(Constant::new(number.ok_or_else(|| self.wrong(token, message))?)))
            }
            Kind::Word => {
                self.count(token)?;
                let metric = Metric::parse_plain(token.text, self.path);
                let metric = metric.map_err(|error| self.wrong(token, &error.message))?;
                Ok(Term::Metric(Box::new(metric)))
            }
        }
    }

    fn count(&mut self, token: Token<'_>) -> Result<(), QueryError> {
        self.operands += 1;
        if self.operands > OPERANDS_MAX {
            let message = format!("a formula may have {OPERANDS_MAX} metrics and numbers");
            return Err(self.wrong(token, &message));
        }
        Ok(())
    }

    /// The place in the formula is told in words: the path of a question ends at its members.
    fn wrong(&self, token: Token<'_>, message: &str) -> QueryError {
        let shown: String = token.text.chars().take(40).collect();
        QueryError::invalid(self.path, format!("at character {}, {shown:?}: {message}", token.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_it_is_wrong() {
        let deep = format!("{}events{}", "(".repeat(11), ")".repeat(11));
        let many = vec!["events"; 21].join(" + ");
        let table = [
            ("", "expected a number, ( or a metric"),
            ("   ", "expected a number, ( or a metric"),
            ("events +", "the formula ends there"),
            ("events + evnts", "at character 10, \"evnts\": expected a metric"),
            ("événements + 1", "at character 1, \"événements\": expected a metric"),
            ("events + é", "at character 10, \"é\""),
            ("events users", "at character 8, \"users\": expected +"),
            ("sum:metadata.my key", "at character 17, \"key\": expected +, -, *, / or the end; a key with a space"),
            ("(events", "at character 1, \"(\": the parenthesis is never closed"),
            ("(events users)", "at character 9, \"users\": expected +, -, *, / or )"),
            ("events)", "at character 7, \")\""),
            ("* events", "at character 1, \"*\": expected a number"),
            ("-1 * events", "at character 1, \"-\": expected a number"),
            ("events ^ 2", "at character 8, \"^\": expected +"),
            ("events * 1.", "at character 10, \"1.\": expected a decimal number"),
            ("events * .5", "at character 10, \".5\": expected a decimal number"),
            ("events * 1e3", "at character 10, \"1e3\": expected a decimal number"),
            ("events * 1.2.3", "at character 10, \"1.2.3\": expected a decimal number"),
            ("1 + sum:price", "at character 5, \"sum:price\": expected the path"),
            ("1 + sum:metadata.\"x", "at character 5, \"sum:metadata.\\\"x\": expected the path"),
            ("1 + p0:metadata.x", "at character 5, \"p0:metadata.x\": expected a metric"),
            ("1 + 2", "at least one metric"),
            ("7", "at least one metric"),
            (deep.as_str(), "at character 11, \"(\": parentheses may be nested 10 deep"),
            (many.as_str(), "at character 181, \"events\": a formula may have 20"),
        ];
        for (text, message) in table {
            let error = parse(text, "metrics[2]").unwrap_err();
            assert_eq!(error.path, "metrics[2]", "{text}");
            assert!(error.message.contains(message), "{text}: {}", error.message);
        }
        let long = format!("events + {}", "1".repeat(1_000));
        assert!(parse(&long, "").unwrap_err().message.contains("1000 characters"));
        let huge = format!("events * {}", "9".repeat(400));
        assert!(parse(&huge, "").unwrap_err().message.contains("a decimal number"));
    }

    #[test]
    fn nothing_but_a_metric_is_that_metric() {
        for text in ["(events)", " events ", "((sum:metadata.a))", "p95:metadata.\"(a) + b\""] {
            let metric = parse(text, "").unwrap();
            assert!(!matches!(metric, Metric::Formula(_)), "{text}: {metric:?}");
        }
    }
}
