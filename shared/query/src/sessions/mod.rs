//! Sessions and the people behind them: `GET /api/sessions`, `GET /api/sessions/{id}`, `GET /api/users/{id}`.
//!
//! The range says which events exist for the question: a session's start, end, entry, exit and count are those of its events
//! in the range. The user of a session is the first `user_id` (by timestamp, id) seen in it, over everything stored.

mod list;
mod session;
mod starts;
mod summary;
mod user;
mod whereabouts;

pub use list::{SessionsAnswer, SessionsPlan, SessionsQuery, SessionsQuestion};
pub use session::{SessionAnswer, SessionPlan, SessionQuestion, TimelineQuery};
pub use summary::SessionSummary;
pub use user::{UserAnswer, UserPlan, UserQuestion, UserSummary};
