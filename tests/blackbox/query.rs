//! Questions: contract, "Questions".

mod access;
mod counting;
mod filtering;
mod listing;
mod paging;
mod refusals;
mod retention;
mod sessions;
mod shorthands;
