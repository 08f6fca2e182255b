//! Questions: contract, "Questions".

mod access;
mod counting;
mod filtering;
mod funnels;
mod listing;
mod paging;
mod paths;
mod refusals;
mod retention;
mod sessions;
mod shorthands;

/// Texts that would do harm where they became part of a statement.
const HOSTILE: [&str; 12] = [
    "'; DROP TABLE raw_events; --",
    "\" OR 1=1 --",
    "%",
    "_",
    "\\",
    "$1",
    "?1",
    "*",
    "a'b",
    "{{x}}",
    "\u{202e}",
    "' || (SELECT 1) || '",
];
