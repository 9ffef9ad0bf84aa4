//! What comes back to the driver from the background.

use super::command::{Reply, ToShare, Wanted};
use super::found::Hit;
use crate::library::{Check, Download, HashedWhole, Opening, PublishedFile, ReadError, Source};
use crate::snapshot::Snapshot;
use crate::store::{
    Copied, FileIdentity, Home, Loaded, NameState, NotHere, PartFile, PublishError, Record, Slot, StoreError,
};
use crate::watch::Turn;
use shared::chunk::ChunkIndex;
use shared::have::HaveMap;
use shared::host::hashing::Hashed;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::rpc::control::{Accepted, ControlError, TaskId};
use shared::rpc::tracker::Namesake;
use shared::swarm::PeerAddr;
use shared::url::TrackerUrl;
use std::ffi::OsString;
use std::io;
use std::sync::Arc;

/// What comes back from the background.
#[derive(Debug)]
pub enum TaskInput {
    /// A file of the folder was hashed, to be shared.
    Hashed { task: TaskId, request: ToShare, hashed: io::Result<(Hashed, FileIdentity)> },
    /// The trackers said which other machine shares something under the name of a hashed file, or nothing.
    Cleared {
        task: TaskId,
        request: ToShare,
        hashed: (Hashed, FileIdentity),
        other: Option<(TrackerUrl, Namesake)>,
    },
    /// An import lies under its name.
    Imported { task: TaskId, request: ToShare, imported: Imported },
    /// What lies under the name that somebody asks for was looked at, and the folder was there after that, or not.
    Asked { asked: Asked, place: NameState, here: Result<(), NotHere> },
    /// The files of what somebody asks about were looked at.
    Inspected {
        what: String,
        here: Result<(), NotHere>,
        changed: Vec<(SwarmKey, Arc<PublishedFile>)>,
        reply: Reply<Arc<Snapshot>>,
    },
    /// A file that nobody knows was compared with what is wanted under its name.
    Compared { task: TaskId, wanted: Wanted, checked: io::Result<CheckedFile> },
    /// The names of the visible manifests of the folder.
    Shown(Result<Vec<ResourceName>, StoreError>),
    /// A file that nobody remembers was compared with the manifest beside it.
    Stray(Stray),
    /// The chunks that fit were copied from the file under a name into the download that will take its place.
    Copied { key: SwarmKey, check: Check, copied: Result<Copied, StoreError> },
    /// The place of a new download is made.
    Opened {
        wanted: Box<Wanted>,
        record: Box<Record>,
        place: NameState,
        reply: Reply<Accepted>,
        opened: Result<PartFile, StoreError>,
    },
    /// The place of a download that was accepted before is made, or still cannot be.
    Made { key: SwarmKey, opening: Opening, opened: Result<PartFile, StoreError> },
    /// The places of a former run's resources were listed.
    Listed(Result<Vec<Slot>, StoreError>),
    /// The files of some resources were looked at.
    Seen(Vec<Seen>),
    /// The trackers of a resource named another list of its chunks, or none.
    Another { key: SwarmKey, found: Option<Box<Hit>> },
    /// Another list of a resource's chunks has taken the place of this one, or may not.
    Replaced { key: SwarmKey, other: SwarmKey, taken: Result<(), ControlError> },
    /// A question to the shared folder was answered.
    Answered { number: u64, answer: FolderAnswer },
    /// The files that are served were looked at: which are not what they were, or why the folder is not there.
    Looked { number: u64, here: Result<(), NotHere>, changed: Vec<(SwarmKey, Arc<PublishedFile>)> },
    /// A chunk that was doubted was read: whether it is right.
    Suspected { key: SwarmKey, index: ChunkIndex, peer: PeerAddr, good: Result<bool, ReadError> },
    /// What lies on disk was compared with the manifest, and the folder was there after that, or not.
    Checked {
        key: SwarmKey,
        check: Check,
        turn: Turn,
        checked: io::Result<CheckedFile>,
        here: Result<(), NotHere>,
    },
    /// The data of these chunks was synced.
    Synced { download: Arc<Download>, have: HaveMap, synced: Result<(), StoreError> },
    /// The have map was persisted, after a sync or as a probe of a disk that has refused.
    Noted { download: Arc<Download>, have: HaveMap, is_probe: bool, noted: Result<(), StoreError> },
    /// The hash of a whole download is there.
    Whole { download: Arc<Download>, whole: HashedWhole },
    /// A download, or a copy of a finished file, lies under its name, or could not be put there.
    Published { source: Source, name: ResourceName, published: Result<FileIdentity, PublishError> },
}

/// How an import ended: its hashes, and the file under its name.
pub type Imported = Result<(Hashed, FileIdentity), ControlError>;

/// What a check found.
#[derive(Debug)]
pub struct CheckedFile {
    /// The chunks that are right.
    pub good: HaveMap,
    /// Whether the whole file is right.
    pub whole: bool,
    /// The file's size in bytes.
    pub bytes: u64,
    /// The chunks that the disk did not read, which count as not right.
    pub unreadable: Vec<ChunkIndex>,
    /// The file's identity when it was read.
    pub identity: FileIdentity,
}

/// A question for a resource, while what lies under its name is looked at.
#[derive(Debug)]
pub struct Asked {
    pub wanted: Wanted,
    /// It is here already, or was: nothing new begins.
    pub is_known: bool,
    pub reply: Reply<Accepted>,
}

/// A file that nobody remembers, compared with the manifest beside it.
#[derive(Debug)]
pub struct Stray {
    pub name: ResourceName,
    /// The error says why the two do not belong together.
    pub compared: Result<(Manifest, io::Result<CheckedFile>), StoreError>,
    /// Whether the shared folder was there after that.
    pub here: Result<(), NotHere>,
}

/// What was found of a resource.
#[derive(Debug)]
pub enum Seen {
    /// What a former run left in this place; `None` if that was only half of a resource, and is gone.
    Recalled { place: OsString, recalled: Option<Result<Box<(Loaded, Restored)>, StoreError>> },
    /// What there is now.
    Again { key: SwarmKey, check: Check, restored: Result<Restored, StoreError> },
}

impl Seen {
    /// Whether all is as it should be: then the folder was there.
    pub fn is_good(&self) -> bool {
        let restored = match self {
            Seen::Recalled { recalled: None, .. } => return false,
            Seen::Recalled { recalled: Some(recalled), .. } => recalled.as_ref().map(|recalled| &recalled.1),
            Seen::Again { restored, .. } => restored.as_ref(),
        };
        matches!(restored, Ok(Restored::Finished { .. } | Restored::Unfinished(..)))
    }
}

/// What became of a remembered resource.
#[derive(Debug)]
pub enum Restored {
    /// Its file is as it was.
    Finished {
        /// Where it is served from.
        published: PublishedFile,
        /// What only a download needs lies there still.
        is_untidy: bool,
    },
    /// It goes on with these chunks.
    Unfinished(PartFile, HaveMap),
    /// What is on disk must be looked at.
    Doubtful(String),
}

/// What the folder answers.
#[derive(Debug)]
pub struct FolderAnswer {
    /// Why it is not there, if it is not.
    pub here: Result<(), NotHere>,
    /// Bytes that are free in it.
    pub free: Result<u64, Arc<StoreError>>,
    /// Its device and inode.
    pub place: Option<(u64, u64)>,
}

impl FolderAnswer {
    /// Asks. Blocks, as long as the folder does.
    pub fn of(home: &Home) -> FolderAnswer {
        let free = home.free_bytes().map_err(Arc::new);
        FolderAnswer { here: home.must_be_here(), free, place: home.device_and_inode().ok() }
    }
}

#[cfg(test)]
impl FolderAnswer {
    /// The folder is there, and has `bytes` free.
    pub fn with_free(bytes: u64) -> FolderAnswer {
        FolderAnswer { here: Ok(()), free: Ok(bytes), place: None }
    }
}
