//! Looking before reading: what columns tell of where the rows are that a question is about.

use std::ops::ControlFlow;

use crate::{Dialect, Row, Statement};

/// Looks for what a plan is to read, and makes the narrower plan of it.
pub trait Looking<P>: Send {
    /// The statements, read one after another, of one state of the store.
    fn statements(&self, dialect: Dialect) -> Vec<Statement>;

    /// Takes a row of the statement at this place; [`ControlFlow::Break`] where the plan is to be read as it is.
    fn push(&mut self, statement: usize, row: Row) -> ControlFlow<()>;

    /// The narrower plan, once every row was taken; `None` where the plan is to be read as it is. One that
    /// [is of one state](crate::Executable::is_of_one_state) is good for the state alone that was looked at.
    fn found(self: Box<Self>) -> Option<P>;
}
