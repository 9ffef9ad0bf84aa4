//! Says what is in directories and does not belong to them.

use super::Driver;
use crate::inbox::{Reply, store_error};
use crate::jobs;
use crate::store::PublishedFile;
use shared::rpc::control::Foreign;
use std::io;

impl Driver {
    /// Answers with what is in the directories that `what` means and does not belong to them, or with an error if one of
    /// them cannot be read. The files are looked at outside the driver.
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
        jobs::detach(move || {
            let look = |file: &PublishedFile| match file.foreign() {
                Ok(found) => found.map(|(files, first)| {
                    let (name, directory) = (file.manifest.name().clone(), file.path.clone());
                    Ok(Foreign { name, directory, files, first })
                }),
                Err(error) if error.source.kind() == io::ErrorKind::NotFound => None, // it is gone
                Err(error) => Some(Err(store_error(&error))),
            };
            let _ = reply.send(directories.iter().filter_map(look).collect()); // the caller may have gone
        });
    }
}
