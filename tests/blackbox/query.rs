//! Questions: contract, "Questions".

mod access;
mod counting;
mod filtering;
mod funnels;
mod listing;
mod paging;
mod refusals;
mod shorthands;
