//! User agents as programs of these days send them, and what has to be read from each: what the tests of this folder share.

/// A line of the table.
pub(super) struct Line {
    pub(super) browser: Option<&'static str>,
    pub(super) os: Option<&'static str>,
    pub(super) device: &'static str,
    pub(super) bot: Option<&'static str>,
    pub(super) user_agent: &'static str,
}

/// The table: browser, system, device, why it is a bot, user agent; `-` for nothing.
pub(super) fn lines() -> Vec<Line> {
    let some = |text: &'static str| (text != "-").then_some(text);
    let line = |line: &'static str| {
        let mut columns = line.splitn(5, '\t');
        let mut next = || columns.next().expect("a line has five columns");
        let (browser, os, device, bot) = (some(next()), some(next()), next(), some(next()));
        Line { browser, os, device, bot, user_agent: next() }
    };
    let lines: Vec<Line> = include_str!("user_agents.tsv").lines().map(line).collect();
    assert!(lines.len() > 40, "{} user agents", lines.len());
    lines
}
