//! Adds the paths of files to a status, which snapshots do not contain.

use crate::store::Home;
use shared::rpc::control::ResourceStatus;

/// The same resources with the paths of their files and directories.
pub fn with_paths(home: &Home, mut resources: Vec<ResourceStatus>) -> Vec<ResourceStatus> {
    // a resource whose record was not read yet has an id and no name
    for resource in resources.iter_mut().filter(|resource| !resource.is_name_unknown()) {
        let tree = if resource.is_tree { home.tree(&resource.name) } else { None };
        resource.path = Some(tree.unwrap_or_else(|| home.file(&resource.name)));
    }
    resources
}
