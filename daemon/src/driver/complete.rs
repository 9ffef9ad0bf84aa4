//! Finds complete resources whose chunks ttctl reads.

use super::Driver;
use crate::inbox::unknown;
use crate::library::Phase;
use crate::store::PublishedFile;
use shared::id::ResourceId;
use shared::rpc::control::{ControlError, ErrorKind};
use std::sync::Arc;

impl Driver {
    /// The file or directory of a complete resource.
    ///
    /// # Errors
    /// When it is not here, or not complete.
    pub(super) fn complete(&self, what: ResourceId) -> Result<Arc<PublishedFile>, ControlError> {
        let (name, key) = self.one(&what.to_string())?;
        match self.library.get(key).map(|resource| &resource.phase) {
            Some(Phase::Seeding(published)) => Ok(published.clone()),
            Some(_) => Err(ControlError {
                kind: ErrorKind::Refused,
                message: format!("{name} is not complete"),
                hint: Some("`ttctl status` says why".to_owned()),
            }),
            None => Err(unknown(&what.to_string())),
        }
    }
}
