//! The comparison of two forms' answers.

use serde_json::Value;

/// Fields that may differ between forms and moments.
const MASKED: &[&str] =
    &["took_ms", "cached", "source", "rows_read", "fresh_as_of", "uptime", "version", "created_at", "received_at"];

/// Sums of doubles may differ by their order of summation.
const TOLERANCE: f64 = 1e-9;

/// Where two answers differ beyond what a form may differ in; each as a path and both values.
#[must_use]
pub fn differences(left: &Value, right: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("$", left, right, &mut found);
    found
}

fn compare(path: &str, left: &Value, right: &Value, found: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let names: std::collections::BTreeSet<_> = left.keys().chain(right.keys()).collect();
            for name in names.into_iter().filter(|name| !MASKED.contains(&name.as_str())) {
                let path = format!("{path}.{name}");
                match (left.get(name), right.get(name)) {
                    // Opaque; that both have one is all that counts.
                    (Some(Value::String(_)), Some(Value::String(_))) if name.ends_with("cursor") => {}
                    (Some(left), Some(right)) => compare(&path, left, right, found),
                    (left, right) => found.push(format!("{path}: {left:?} against {right:?}")),
                }
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                compare(&format!("{path}[{index}]"), left, right, found);
            }
        }
        (Value::Number(left), Value::Number(right)) if left != right => {
            let near = match (left.as_f64(), right.as_f64()) {
                (Some(left), Some(right)) => (left - right).abs() <= TOLERANCE * left.abs().max(right.abs()).max(1.0),
                _ => false,
            };
            // 3 and 3.0 are different texts, which a client may see.
            if !near || left.is_f64() != right.is_f64() {
                found.push(format!("{path}: {left} against {right}"));
            }
        }
        _ if left != right => found.push(format!("{path}: {left} against {right}")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::differences;

    #[test]
    fn what_may_differ_is_passed_over() {
        let left = json!({"meta": {"took_ms": 1, "cached": true, "next_cursor": "a"}, "results": [{"metrics": [0.1]}]});
        let right = json!({"meta": {"took_ms": 2, "cached": false, "next_cursor": "b"}, "results": [{"metrics": [0.1 + 1e-12]}]});
        assert_eq!(differences(&left, &right), Vec::<String>::new());
    }

    #[test]
    fn everything_else_is_told_with_its_path() {
        let left = json!({"a": [1, 2], "b": {"c": "x"}, "d": 3, "next_cursor": "a", "e": 0.1});
        let right = json!({"a": [1, 3], "b": {}, "d": 3.0, "next_cursor": null, "e": 0.2});
        let paths: Vec<String> = differences(&left, &right)
            .iter()
            .map(|text| text.split(':').next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(paths, ["$.a[1]", "$.b.c", "$.d", "$.e", "$.next_cursor"]);
        assert_eq!(differences(&json!([1]), &json!([1, 2])).len(), 1);
    }
}
