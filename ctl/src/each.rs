//! Collects the failures of a command that does the same to several things. One failure does not stop the others.

use crate::documents::FailureOf;
use crate::error::Error;
use crate::output::Output;

/// The failures so far.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    first: Option<Error>,
    all: Vec<FailureOf>,
}

impl Failures {
    /// Records that it failed for `what`, and prints the error at once.
    pub(crate) fn add(&mut self, what: &str, error: Error, output: &Output) {
        output.error(&error);
        self.all.push(FailureOf { what: what.to_owned(), failure: output.failure(&error) });
        self.first.get_or_insert(error.told());
    }

    /// Takes the failures out, for a JSON document.
    pub(crate) fn take(&mut self) -> Vec<FailureOf> {
        std::mem::take(&mut self.all)
    }

    /// Ends the command: with the first error, if there is one.
    pub(crate) fn end(self) -> Result<(), Error> {
        self.first.map_or(Ok(()), Err)
    }
}
