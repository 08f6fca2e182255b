//! Feed and cache of the single process, in its own memory.

mod cache;
mod feed;

pub use cache::ProcessCache;
pub use feed::ProcessFeed;
