//! The same done to several resources: one that fails does not keep the others back.

use crate::error::Error;
use crate::output::Output;
use shared::name::ResourceName;
use shared::rpc::control::ControlError;

/// What became of each so far.
#[derive(Debug, Default)]
pub(crate) struct Each {
    /// Those that it was done to.
    pub(crate) done: Vec<String>,
    failed: Option<Error>,
}

impl Each {
    /// Takes in an answer of the daemon; a refusal is told at once.
    pub(crate) fn add(&mut self, answer: Result<Vec<ResourceName>, ControlError>, output: &Output) {
        match answer {
            Ok(names) => self.done.extend(names.iter().map(|name| name.to_string())),
            Err(error) => {
                let error = Error::from(error);
                output.error(&error);
                self.failed.get_or_insert(Error { message: String::new(), ..error });
            }
        }
    }

    /// The command fails with the first refusal, which was told already.
    pub(crate) fn end(self) -> Result<(), Error> {
        self.failed.map_or(Ok(()), Err)
    }
}
