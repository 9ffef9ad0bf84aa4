//! In which manner a caller wants something fetched.

use crate::inbox::Wanted;
use shared::rpc::control::GetRequest;

/// The options of a request to get something.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// Whether it may replace other content of its name.
    pub replace: bool,
    /// Whether its chunks may be taken from other files here.
    pub reuse: bool,
    as_file: bool,
    links_outside: bool,
}

impl Manner {
    /// Of a request.
    pub fn of(request: &GetRequest) -> Manner {
        let &GetRequest { replace, reuse, as_file, links_outside, .. } = request;
        Manner { replace, reuse, as_file, links_outside }
    }

    /// Whether it says what a directory may become.
    pub fn is_about_directories(self) -> bool {
        self.as_file || self.links_outside
    }

    /// The wanted resource in this manner.
    pub fn apply(self, wanted: Wanted) -> Wanted {
        let Manner { replace, reuse, as_file, links_outside } = self;
        Wanted { replace, reuse, as_file, links_outside, ..wanted }
    }
}
