//! Finds out whether a download is a tree, as soon as the chunks that say so are here, and has it laid out as one.
//! Nobody waits for these chunks, and the download goes on meanwhile; only its publication waits.

use super::Driver;
use crate::inbox::{Input, TaskInput, Wanted};
use crate::jobs;
use crate::library::{Download, Fetching, Following, Phase, Shaping, Why};
use crate::panicked::caught;
use crate::store::{LayOutError, Shape, Slot};
use shared::chunk::ChunkIndex;
use shared::id::SwarmKey;
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, ErrorKind};
use shared::shell;
use shared::swarm::Event;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Semaphore;

impl Driver {
    /// Begins to find out what a download is, if that is unknown and the chunks for it are here.
    pub(super) fn lay_out(&mut self, key: SwarmKey) {
        let Some(resource) = self.library.get_mut(key) else { return };
        let Phase::Fetching(fetching) = &mut resource.phase else { return };
        let Shaping::Needs(chunks) = fetching.shaping else { return };
        if !(0..chunks).all(|index| fetching.have.contains(ChunkIndex(index))) {
            return;
        }
        fetching.shaping = Shaping::Working;
        let (download, slot) = (fetching.download.clone(), resource.slot.clone());
        let links_outside = resource.record.links_outside;
        let (turns, context) = (self.laying_out.clone(), self.context.clone());
        jobs::spawn(async move {
            let laid_out = lay_out_in_turn(&download, slot, chunks, links_outside, turns).await;
            context.tell(Input::Task(TaskInput::LaidOut { download, chunks, laid_out })).await;
        });
    }

    /// Has the chunks preferred that say what a download is.
    pub(super) fn prefer_beginning(&mut self, key: SwarmKey) {
        let Some(Phase::Fetching(fetching)) = self.library.get(key).map(|resource| &resource.phase) else {
            return;
        };
        if let Shaping::Needs(chunks) = fetching.shaping {
            self.event(Event::Prefer { key, chunks });
        }
    }

    /// A download was laid out, or is a plain file, or needs more chunks before that is known.
    pub(super) fn laid_out(
        &mut self,
        download: &Arc<Download>,
        chunks: u32,
        laid_out: Result<Shape, LayOutError>,
    ) {
        if !self.is_current(download) {
            return; // the present one finds out by itself
        }
        let (key, name) = (download.manifest.key(), download.manifest.name());
        let Some(resource) = self.library.get_mut(key) else { return };
        let Phase::Fetching(fetching) = &mut resource.phase else { return };
        match laid_out {
            Ok(Shape::Needs(more)) => {
                fetching.shaping = Shaping::Needs(more);
                self.prefer_beginning(key);
                return self.lay_out(key);
            }
            Ok(Shape::File) => fetching.shaping = Shaping::Known,
            Ok(Shape::Tree) => {
                (fetching.shaping, resource.is_tree) = (Shaping::Known, true);
                fetching.following.iter_mut().for_each(Following::tell_laid_out);
                tracing::info!(%name, id = %key, "it is a directory; its files are being written");
                self.look_at_its_name(key);
                self.changed();
            }
            Err(LayOutError::LinkOutside(_)) if resource.record.links_outside => {
                fetching.shaping = Shaping::Needs(chunks); // it was allowed meanwhile
                return self.lay_out(key);
            }
            Err(LayOutError::LinkOutside(link)) => {
                let name = name.clone();
                return self.refuse_tree(key, Why::LinkOutside { name, link });
            }
            Err(LayOutError::Bad(why)) => return self.refuse_no_tree(key, why),
            Err(LayOutError::Store(error)) => {
                fetching.shaping = Shaping::Needs(chunks); // tried again when the disk accepts writes
                return self.write_failed(key, error);
            }
            Err(LayOutError::Lost(index)) => {
                tracing::warn!(%name, id = %key, "chunk {index} is damaged on the disk; checking every chunk");
                return self.check(key);
            }
            Err(LayOutError::Ended) => return,
        }
        self.publish(key);
    }

    /// The bytes of a resource match its manifest, and are no tree although they say so.
    pub(super) fn refuse_no_tree(&mut self, key: SwarmKey, why: String) {
        let Some(resource) = self.library.get(key) else { return };
        let name = resource.manifest.name().clone();
        self.refuse_tree(key, Why::NoTree { name, why });
    }

    /// A resource is no tree, or none that may be here. Nothing of it stays on the disk; the reason stays in memory for
    /// those who wait for it.
    fn refuse_tree(&mut self, key: SwarmKey, why: Why) {
        let Some(resource) = self.library.get(key) else { return };
        let slot = resource.slot.clone();
        self.fail_resource(key, why);
        self.saver.forget(key, &slot);
        if let Some(resource) = self.library.get_mut(key) {
            resource.is_tree = false;
        }
    }

    /// Has a resource stay a file even if its bytes are those of a tree, if that is asked for.
    ///
    /// # Errors
    /// When it is a directory already, unless whoever wants it makes a copy.
    pub(super) fn want_file(&mut self, key: SwarmKey, wanted: &Wanted) -> Result<(), ControlError> {
        if wanted.is_copied {
            return Ok(()); // it stays what it is, for everybody else who wants it
        }
        let Some(resource) = self.library.get_mut(key).filter(|it| wanted.as_file && !it.record.as_file)
        else {
            return Ok(());
        };
        let is_becoming_one = |fetching: &Fetching| fetching.shaping == Shaping::Working;
        if resource.is_tree || matches!(&resource.phase, Phase::Fetching(it) if is_becoming_one(it)) {
            return Err(is_directory(
                wanted.manifest.name(),
                &resource.path(&self.home, wanted.manifest.name()),
            ));
        }
        resource.record.as_file = true;
        if let Phase::Fetching(fetching) = &mut resource.phase {
            fetching.shaping = Shaping::Known;
        }
        self.save_unless_disproved(key);
        self.stop_following(key); // it waits for a listing, and holds everything else
        Ok(())
    }

    /// Saves a record. That of a resource of which nothing is on the disk any more is saved when it is begun anew.
    fn save_unless_disproved(&self, key: SwarmKey) {
        if let Some(resource) = self.library.get(key).filter(|resource| !resource.is_disproved()) {
            self.saver.save(&resource.slot, &resource.record);
        }
    }

    /// Allows that a resource is a directory with symbolic links that lead outside of it, if that is asked for.
    pub(super) fn want_links_outside(&mut self, key: SwarmKey, wanted: &Wanted) {
        let Some(resource) = self.library.get_mut(key) else { return };
        if wanted.links_outside && !resource.record.links_outside {
            resource.record.links_outside = true;
            self.save_unless_disproved(key);
        }
    }

    /// The size in bytes of the resource that has a name, if it is a tree.
    pub(super) fn tree_bytes(&self, name: &ResourceName) -> Option<u64> {
        let resource = self.library.get(self.library.key_of(name)?).filter(|resource| resource.is_tree)?;
        let record = resource.record.names.iter().find(|record| record.name == *name)?;
        Some(record.published.map_or(0, |identity| identity.bytes))
    }
}

/// Finds out what a download is, and lays it out when it is its turn. No thread waits for the turn, and who is no directory
/// needs none.
async fn lay_out_in_turn(
    download: &Arc<Download>,
    slot: Slot,
    chunks: u32,
    links_outside: bool,
    turns: Arc<Semaphore>,
) -> Result<Shape, LayOutError> {
    let found = blocking(download, move |download| download.file.shape(&download.manifest, chunks));
    if let Some(shape) = found.await? {
        return Ok(shape);
    }
    let _turn = turns.acquire_owned().await.map_err(|_| LayOutError::Ended)?;
    let laying = blocking(download, move |download| {
        let is_wanted = || !download.unnoted.has_ended();
        download.file.lay_out(&slot, &download.manifest, chunks, links_outside, &is_wanted)
    });
    laying.await
}

/// Does work that blocks on a download.
async fn blocking<T: Send + 'static>(
    download: &Arc<Download>,
    work: impl FnOnce(&Download) -> Result<T, LayOutError> + Send + 'static,
) -> Result<T, LayOutError> {
    let working = download.clone();
    let done = jobs::run(move || caught(|| work(&working))).await;
    let done = done.map_err(|_| LayOutError::Ended)?; // ttd is ending
    done.unwrap_or_else(|panic| Err(panic.at("lay out", download.file.path()).into()))
}

fn is_directory(name: &ResourceName, path: &Path) -> ControlError {
    ControlError {
        kind: ErrorKind::Refused,
        message: format!("{name} is here as the directory {}", path.display()),
        hint: Some(format!(
            "`ttctl get {0} --as-file -o PATH` writes the tar file; \
             to have it in place of the directory, `ttctl remove --delete {0}` first",
            shell::word(name.as_str())
        )),
    }
}
