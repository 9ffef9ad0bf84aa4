//! The same done to several things: one that fails does not keep the others back.

use crate::documents::FailureOf;
use crate::error::Error;
use crate::output::Output;

/// What failed so far.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    first: Option<Error>,
    all: Vec<FailureOf>,
}

impl Failures {
    /// It was not done to `what`. A person is told at once.
    pub(crate) fn add(&mut self, what: &str, error: Error, output: &Output) {
        output.error(&error);
        self.all.push(FailureOf { what: what.to_owned(), failure: output.failure(&error) });
        self.first.get_or_insert(error.told());
    }

    /// Takes what failed, for a JSON document.
    pub(crate) fn take(&mut self) -> Vec<FailureOf> {
        std::mem::take(&mut self.all)
    }

    /// The command fails with the first error.
    pub(crate) fn end(self) -> Result<(), Error> {
        self.first.map_or(Ok(()), Err)
    }
}
