//! Rules about allowed lints and unfinished code.

use super::source::{SourceFile, closing};
use super::{Finding, Findings};

/// `allow` and `expect` name a reason.
pub(super) fn reasons(file: &SourceFile) -> Findings {
    let code = file.code();
    let mut findings = Vec::new();
    for (start, _) in code.match_indices('#') {
        let after = code[start + 1..].trim_start_matches('!');
        if !after.starts_with('[') {
            continue;
        }
        let end = closing(code, code.len() - after.len());
        let attribute = &code[start..end];
        for lint in ["allow(", "expect("] {
            // Also inside of `cfg_attr(...)`; a name that only ends so, such as `disallow(`, is another attribute.
            let named = attribute.match_indices(lint).any(|(at, _)| {
                let before = attribute[..at].chars().next_back();
                before.is_some_and(|before| !before.is_alphanumeric() && before != '_')
            });
            if named && !attribute.contains("reason") {
                let message = format!("`{lint}...)` without a reason: add `reason = \"...\"`");
                findings.push(Finding::new(file.path(), file.line(start), message));
            }
        }
    }
    findings
}

/// No macro that stands for code to come.
pub(super) fn unfinished(file: &SourceFile) -> Findings {
    let code = file.code();
    let calls = ["todo!", "unimplemented!", "dbg!"].into_iter().flat_map(|call| {
        code.match_indices(call)
            .map(move |(at, _)| Finding::new(file.path(), file.line(at), format!("`{call}` is left over")))
    });
    calls.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    fn lines(check: fn(&SourceFile) -> Findings, text: &str) -> Vec<usize> {
        check(&SourceFile::new("a.rs", text)).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_lint_without_a_reason_is_found() {
        assert_eq!(lines(reasons, "#[allow(dead_code)]\nfn f() {}"), [1]);
        assert_eq!(lines(reasons, "\n#![allow(dead_code)]"), [2]);
        assert_eq!(lines(reasons, "#[expect(\n    dead_code\n)]\nfn f() {}"), [1]);
        assert_eq!(lines(reasons, "#![cfg_attr(test, allow(clippy::unwrap_used))]"), [1]);
        assert_eq!(lines(reasons, "#[expect(dead_code, reason = \"kept\")]\nfn f() {}"), NONE);
        assert_eq!(lines(reasons, "fn f() { x.expect(\"y\"); }"), NONE);
    }

    #[test]
    fn unfinished_code_is_found() {
        assert_eq!(lines(unfinished, "fn f() {\n    todo!()\n}"), [2]);
        assert_eq!(lines(unfinished, "fn f() { dbg!(1); unimplemented!() }"), [1, 1]);
        assert_eq!(lines(unfinished, "// todo!() is denied\n"), NONE);
    }
}
