//! Directories whose files were edited: the chunks of these files are not served any more, the others are. Nothing is
//! fetched, and nothing is written into the directory, until somebody asks for it.

use super::Driver;
use super::reasons::quoted;
use crate::inbox::{Input, TaskInput};
use crate::library::{Phase, Resource};
use crate::panicked::Panicked;
use crate::store::{Edited, PublishedFile, StoreError};
use shared::chunk::ChunkIndex;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::plain::edited_files;
use shared::swarm::Event;
use shared::tree::TreeName;
use std::sync::Arc;

impl Driver {
    /// Looks at the files of a directory, because a chunk of it could not be read: at those that the chunk has bytes of,
    /// or at all.
    pub(super) fn look_for_edits(
        &mut self,
        key: SwarmKey,
        published: Arc<PublishedFile>,
        chunk: Option<ChunkIndex>,
    ) {
        if !self.looks_for_edits.insert(key) {
            return;
        }
        let look = {
            let published = published.clone();
            move || match chunk {
                Some(chunk) => published.edited_in(chunk),
                None => published.edited(),
            }
        };
        self.work(look, move |edited| Input::Task(TaskInput::Edited { key, published, edited }));
    }

    pub(super) fn edited(
        &mut self,
        key: SwarmKey,
        published: &Arc<PublishedFile>,
        edited: Result<Result<Option<Edited>, StoreError>, Panicked>,
    ) {
        self.looks_for_edits.remove(&key);
        match edited {
            Ok(Ok(None)) => {} // it was another trouble, or it is over
            Ok(Ok(Some(edited))) => self.note_more_edits(key, published, edited),
            // The directory itself is gone, or our record of it.
            Ok(Err(_)) | Err(_) => self.replaced_or_gone(key, published),
        }
    }

    /// Some files of a directory were found to be edited, perhaps not all.
    pub(super) fn note_more_edits(&mut self, key: SwarmKey, published: &Arc<PublishedFile>, more: Edited) {
        let known = self.library.get(key).and_then(|resource| resource.edited.clone());
        let edited = known.map_or_else(|| more.clone(), |known| known.with(more.clone()));
        self.note_edits(key, published, edited);
    }

    /// Takes the chunks of edited files out of what we have.
    pub(super) fn note_edits(&mut self, key: SwarmKey, published: &Arc<PublishedFile>, edited: Edited) {
        let Some(resource) = self.library.get_mut(key).filter(|resource| is_served(resource, published))
        else {
            return;
        };
        if resource.edited.as_ref() == Some(&edited) {
            return;
        }
        tracing::warn!(name = %published.manifest.name(), id = %key, files = edited.files(),
            such_as = edited.first.first(), chunks = edited.chunks.len(),
            "files in the directory were edited; their chunks are no longer served");
        resource.edited = Some(edited);
        self.tell_edits(key);
        self.announce(key);
        self.changed();
    }

    /// Has the core take the chunks of edited files out of what we have, and not fetch them.
    pub(super) fn tell_edits(&mut self, key: SwarmKey) {
        let Some(resource) = self.library.get(key) else { return };
        let Some(edited) = resource.edited.as_ref().filter(|_| matches!(resource.phase, Phase::Seeding(_)))
        else {
            return;
        };
        let chunks = edited.chunks.clone();
        for index in chunks.iter() {
            self.event(Event::Lost { key, index });
        }
        self.event(Event::Withhold { key, chunks });
    }
}

/// Whether this is what is being served.
pub(super) fn is_served(resource: &Resource, published: &PublishedFile) -> bool {
    matches!(&resource.phase, Phase::Seeding(served) if served.path == published.path && served.identity == published.identity)
}

/// What was edited in a directory, and what helps.
pub(super) fn edits(name: &ResourceName, edited: &Edited, is_origin: bool) -> String {
    let top = TreeName::of_resource(name).map_or_else(String::new, |top| format!("{top}/"));
    let first: Vec<String> = edited.first.iter().map(|file| format!("{top}{file}")).collect();
    let what = edited_files(edited.files() as u64, &first);
    let (chunks, total) = (edited.chunks.len(), edited.chunks.count());
    let effect =
        if chunks == 0 { String::new() } else { format!(", {chunks} of {total} chunks are not served") };
    let undone = match is_origin {
        true => String::new(), // its owner edits it
        false => format!("`ttctl get --replace {}` makes it as it was, ", quoted(name)),
    };
    format!("{what}{effect}; {undone}`ttctl share --replace PATH` publishes it as it is")
}
