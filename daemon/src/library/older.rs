//! The file that had the name of a download before, and that the download will replace.

use crate::store::PublishedFile;
use std::sync::Arc;

/// What lies under the name of a download while it is being fetched.
#[derive(Debug, Clone, Default)]
pub enum Older {
    /// Nobody has looked.
    #[default]
    Unknown,
    /// Nothing that chunks can be taken from.
    Nothing,
    /// A file with these chunks. Its manifest describes what was found in it; it need not be a resource that anybody
    /// has shared, and it is never served because of this.
    File(Arc<PublishedFile>),
}
