//! Collects the failures of a command that does the same to several things. One failure does not stop the others.

use crate::documents::FailureOf;
use crate::error::{Error, Kind};
use crate::output::Output;
use crate::targets::Targets;
use shared::name::ResourceName;

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

/// Calls `act` with each of the names or ids. Collects the results and the failures. One failure does not stop the
/// others, unless ttd has gone: then the rest is not tried, because it would fail as well.
pub(crate) async fn for_each<T>(
    targets: Targets,
    output: &Output,
    mut act: impl AsyncFnMut(String) -> Result<T, Error>,
) -> (Vec<T>, Failures) {
    let (mut done, mut failures) = (Vec::new(), Failures::default());
    for (what, found) in targets.each() {
        let result = match found {
            Ok(name) => act(name).await,
            Err(error) => Err(error),
        };
        match result {
            Ok(one) => done.push(one),
            Err(error) => {
                let is_last = error.kind == Kind::NoDaemon;
                failures.add(&what, error, output);
                if is_last {
                    break;
                }
            }
        }
    }
    (done, failures)
}

/// The names of what was done, one after the other.
pub(crate) fn names(done: Vec<Vec<ResourceName>>) -> Vec<String> {
    done.iter().flatten().map(ToString::to_string).collect()
}
