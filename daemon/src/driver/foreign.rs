//! Says what is in directories and does not belong to them.

use super::Driver;
use crate::inbox::Reply;
use crate::store::PublishedFile;
use shared::rpc::control::Foreign;

impl Driver {
    /// Answers with what is in the directories that `what` means and does not belong to them. The files are looked at
    /// outside the driver. A directory that cannot be read is left out.
    pub(super) fn foreign(&self, what: &str, reply: Reply<Vec<Foreign>>) {
        let found = match self.some(what) {
            Ok(found) => found,
            Err(error) => return drop(reply.send(Err(error))),
        };
        let directories = found.iter().filter_map(|(name, key)| {
            let resource = self.library.get(*key)?;
            resource
                .published_files(&self.home)
                .find(|file| file.tree.is_some() && file.manifest.name() == name)
        });
        let directories: Vec<PublishedFile> = directories.collect();
        tokio::task::spawn_blocking(move || {
            let look = |file: &PublishedFile| {
                let unreadable = |error| tracing::warn!(%error, "cannot look for files that are not ours");
                let (files, first) = file.foreign().map_err(unreadable).ok().flatten()?;
                Some(Foreign {
                    name: file.manifest.name().clone(),
                    directory: file.path.clone(),
                    files,
                    first,
                })
            };
            let _ = reply.send(Ok(directories.iter().filter_map(look).collect())); // the caller may have gone
        });
    }
}
