//! The results that background work sends to the driver.

use super::command::{Reply, ToShare, Wanted};
use super::found;
use crate::library::{
    Check, Download, Follow, Followed, HashedWhole, Opening, ReadError, ReuseWork, ReusedFrom, Source,
    TakeError, Why,
};
use crate::panicked::Panicked;
use crate::snapshot::Snapshot;
use crate::store::{
    Edited, FileIdentity, Home, LayOutError, Loaded, NameState, NotHere, PartFile, PublishError,
    PublishedFile, PublishedTree, Record, Shape, Slot, StoreError, TreeScan,
};
use crate::watch::Turn;
use shared::chunk::ChunkIndex;
use shared::have::HaveMap;
use shared::host::hashing::Hashed;
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::reuse::repeats::Repeats;
use shared::reuse::search::Hit;
use shared::rpc::control::{Accepted, ControlError, TaskId};
use shared::rpc::tracker::Namesake;
use shared::signature::SignatureText;
use shared::swarm::PeerAddr;
use shared::url::TrackerUrl;
use std::ffi::OsString;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// A result of background work. Where a field `here` stands beside a result, it says whether the shared directory was
/// there after the work: if not, the result proves nothing.
#[derive(Debug)]
pub enum TaskInput {
    /// A file of the shared directory was hashed in order to be shared.
    Hashed { task: TaskId, request: ToShare, hashed: Result<(Hashed, FileIdentity), ControlError> },
    /// The trackers said which other machine shares something under the name of a hashed file, if one does.
    Cleared {
        task: TaskId,
        request: ToShare,
        hashed: (Hashed, FileIdentity),
        other: Option<(TrackerUrl, Namesake)>,
    },
    /// What a task has noted of a directory in vain was removed; an error is why its work has failed.
    Forgotten { task: TaskId, name: ResourceName, outcome: Result<(), ControlError> },
    /// An import was put under its name, or failed.
    Imported { task: TaskId, request: ToShare, imported: Imported },
    /// The files under the name of a requested resource were examined, and all files of a directory that is served under
    /// it: what was edited.
    Asked { asked: Box<Asked>, place: NameState, here: Result<(), NotHere>, edited: Option<Edited> },
    /// The files of the resources that somebody inspects were checked, and of directories all files (`edited`); `changed`
    /// are those that are not what was hashed.
    Inspected {
        what: String,
        here: Result<(), NotHere>,
        changed: Vec<(SwarmKey, Arc<PublishedFile>)>,
        edited: Vec<(SwarmKey, Arc<PublishedFile>, Option<Edited>)>,
        reply: Reply<Arc<Snapshot>>,
    },
    /// The files of a directory were looked at, because a chunk of it could not be read.
    Edited {
        key: SwarmKey,
        published: Arc<PublishedFile>,
        edited: Result<Result<Option<Edited>, StoreError>, Panicked>,
    },
    /// Some files of a directory were looked at, although nobody reads them.
    Scanned(Result<Scanned, Panicked>),
    /// A file that no resource owns was compared with the resource that is wanted under its name.
    Compared { task: TaskId, wanted: Box<Wanted>, checked: io::Result<CheckedFile> },
    /// The names of the shared directory's visible manifests were listed.
    Shown(Result<Vec<ResourceName>, StoreError>),
    /// A stray was compared: a file that no resource owns, with the manifest beside it.
    Stray(Box<Stray>),
    /// A search for chunks asks for the files of this machine, those after `after` in the order of their swarms.
    DonorsAsked { after: Option<SwarmKey>, reply: oneshot::Sender<DonorPage> },
    /// The chunks of a download were looked for on this machine.
    Searched { download: Arc<Download>, work: ReuseWork, found: FoundChunks },
    /// The chunks that were found were taken, as far as they were right.
    ReuseEnded { download: Arc<Download>, work: ReuseWork },
    /// A thread has written the repetitions of some chunks of a download, and ends.
    Repeated { download: Arc<Download>, work: ReuseWork },
    /// A chunk of a download was found on this machine, verified and written, or one of the two failed.
    Reused { download: Arc<Download>, index: ChunkIndex, from: ReusedFrom, taken: Result<(), TakeError> },
    /// The follower of a download says which chunks it may find, or that it has ended.
    Followed { download: Arc<Download>, by: Follow, followed: Followed },
    /// The part file of a new download was created, or could not be.
    Opened {
        wanted: Box<Wanted>,
        record: Box<Record>,
        place: NameState,
        reply: Reply<Accepted>,
        opened: Result<PartFile, StoreError>,
        /// The directory of which the listing and the sums were kept, because the download will replace it.
        kept: Option<Box<PublishedFile>>,
    },
    /// The part file of a download that was accepted before was created, or again could not be.
    Made { key: SwarmKey, opening: Opening, opened: Result<PartFile, StoreError> },
    /// The files of a directory that was checked and is fetched again were opened, or could not be.
    Reopened {
        key: SwarmKey,
        opening: Opening,
        opened: Result<PartFile, StoreError>,
        checked: Box<CheckedFile>,
    },
    /// The folders of an earlier run's resources were listed.
    Listed(Result<Vec<Slot>, StoreError>),
    /// The files of some resources were looked at.
    Seen(Vec<Seen>),
    /// The trackers of a resource named another list of its chunks, or none.
    Another { key: SwarmKey, found: Option<Box<found::Hit>> },
    /// Another list of a resource's chunks, `other`, has replaced the list of `key`, or the error says why it may not.
    Replaced { key: SwarmKey, other: SwarmKey, taken: Result<(), ControlError> },
    /// A query about the shared directory was answered.
    Answered { number: u64, answer: FolderAnswer },
    /// The files that are served were checked; `changed` are those that are not what was hashed.
    Looked { number: u64, here: Result<(), NotHere>, changed: Vec<(SwarmKey, Arc<PublishedFile>)> },
    /// A doubted chunk was read; `good` says whether it is right.
    Suspected { key: SwarmKey, index: ChunkIndex, peer: PeerAddr, good: Result<bool, ReadError> },
    /// The files of a resource were compared with its manifest.
    Checked {
        key: SwarmKey,
        check: Check,
        turn: Turn,
        checked: io::Result<CheckedFile>,
        here: Result<(), NotHere>,
    },
    /// The data of these chunks was synced, or the sync failed.
    Synced { download: Arc<Download>, have: HaveMap, synced: Result<(), StoreError> },
    /// The have map was persisted, or could not be: after a sync, or as a probe of a disk that has refused a write.
    Noted { download: Arc<Download>, have: HaveMap, is_probe: bool, noted: Result<(), StoreError> },
    /// The chunks of zeros of a download were made, or could not be.
    ZerosMade { download: Arc<Download>, made: Result<HaveMap, StoreError> },
    /// It was found out, from its first `chunks` chunks, whether a download is a tree; if it is, it was laid out.
    LaidOut { download: Arc<Download>, chunks: u32, laid_out: Result<Shape, LayOutError> },
    /// What lies under the names of a download that is a tree was looked at; something else is at the paths of `taken`.
    NamesLookedAt { download: Arc<Download>, taken: Vec<NameTaken> },
    /// The hash of a complete download was computed.
    Whole { download: Arc<Download>, whole: HashedWhole },
    /// A complete download, or a copy of a finished file, was put under its name, or could not be.
    Published { source: Source, name: ResourceName, published: Result<FileIdentity, PublishError> },
}

/// How an import ended: with its hashes and the identity of its file, or with an error.
pub type Imported = Result<(Hashed, FileIdentity), ControlError>;

/// The result of comparing a file with a manifest.
#[derive(Debug)]
pub struct CheckedFile {
    /// The chunks that are right.
    pub good: HaveMap,
    /// Whether the whole file is right, its size and hash included.
    pub whole: bool,
    /// The file's size in bytes.
    pub bytes: u64,
    /// The chunks that the disk failed to read. They do not count as right.
    pub unreadable: Vec<ChunkIndex>,
    /// The file's identity when it was read.
    pub identity: FileIdentity,
    /// What the file contains, if it is one that a download may replace.
    pub content: Option<Box<Manifest>>,
    /// What is noted of it, if it is a directory.
    pub tree: Option<PublishedTree>,
    /// What somebody has edited in it, if it is a directory of which it is known what was in it, and not all is right.
    pub edited: Option<Edited>,
}

/// Some files of a directory were looked at, to find those that were edited.
#[derive(Debug)]
pub struct Scanned {
    /// The directory.
    pub published: Arc<PublishedFile>,
    /// What that took.
    pub spent: Spent,
    /// How far the look is.
    pub look: Result<TreeLook, StoreError>,
}

/// What some work took.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// The processor time.
    pub worked: Duration,
    /// The time from its beginning to its end.
    pub lasted: Duration,
}

/// How far a look at the files of a directory is.
#[derive(Debug)]
pub enum TreeLook {
    /// More files are to be looked at. With the first ones that were edited, if they were found now.
    More(Box<TreeScan>, Option<Edited>),
    /// All files were looked at: what was edited.
    All(Option<Edited>),
}

/// Some of the files of this machine that chunks can be taken from.
#[derive(Debug)]
pub struct DonorPage {
    /// The files, with the chunks that are in them; `None` if these are all.
    pub donors: Vec<(Source, Option<HaveMap>)>,
    /// After which swarm the next page begins; `None` if this is the last one.
    pub next: Option<SwarmKey>,
}

/// The chunks of a download that were found on this machine.
#[derive(Debug, Default)]
pub struct FoundChunks {
    /// The files that have some.
    pub sources: Vec<Source>,
    /// Where each chunk is; `list` is the index of its file. They are in the order of the files.
    pub hits: Vec<Hit>,
    /// The chunks that occur more than once in the download.
    pub repeats: Option<Arc<Repeats>>,
}

/// A request for a resource, while what lies under its name is looked at.
#[derive(Debug)]
pub struct Asked {
    pub wanted: Wanted,
    /// Whether it is or was here already, so that no new download begins.
    pub is_known: bool,
    /// The directory that is served under its name, if one is.
    pub served: Option<Arc<PublishedFile>>,
    /// What had its name when the look began.
    pub held: Option<Held>,
    pub reply: Reply<Accepted>,
}

/// The resource that has a name, and the file under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub key: SwarmKey,
    /// `None` while the file is not complete.
    pub file: Option<FileIdentity>,
}

/// A visible manifest, the signature beside it, and the comparison with the file beside them.
pub type Compared = (Manifest, Option<SignatureText>, io::Result<CheckedFile>);

/// A file that nobody remembers, compared with the manifest beside it.
#[derive(Debug)]
pub struct Stray {
    pub name: ResourceName,
    /// The manifest and the result of the comparison; the error says why the two do not belong together.
    pub compared: Result<Compared, StoreError>,
    /// Whether the shared directory was there after that.
    pub here: Result<(), NotHere>,
}

/// What was found on disk of one resource.
#[derive(Debug)]
pub enum Seen {
    /// A resource of an earlier run was read from the folder `place`. `None` if it was incomplete and has been removed.
    Recalled { place: OsString, recalled: Option<Result<Box<(Loaded, Restored)>, StoreError>> },
    /// The files of a known resource were looked at again.
    Again { key: SwarmKey, check: Check, restored: Result<Box<Restored>, StoreError> },
}

impl Seen {
    /// Whether the files are as they should be, which also proves that the shared directory was there.
    pub fn is_good(&self) -> bool {
        let restored = match self {
            Seen::Recalled { recalled: None, .. } => return false,
            Seen::Recalled { recalled: Some(recalled), .. } => recalled.as_ref().map(|recalled| &recalled.1),
            Seen::Again { restored, .. } => restored.as_ref().map(|restored| &**restored),
        };
        matches!(restored, Ok(Restored::Finished { .. } | Restored::Unfinished(..)))
    }
}

/// The state in which a remembered resource was found.
#[derive(Debug)]
pub enum Restored {
    /// Its finished file has not changed.
    Finished {
        /// The file that is served.
        published: PublishedFile,
        /// Whether files that only a download needs are still there.
        is_untidy: bool,
    },
    /// Its download continues with these chunks.
    Unfinished(PartFile, HaveMap),
    /// Its files must be checked, for this reason.
    Doubtful(String),
}

/// The state of the shared directory.
#[derive(Debug)]
pub struct FolderAnswer {
    /// The error says why the folder is not there.
    pub here: Result<(), NotHere>,
    /// The free bytes of its file system.
    pub free: Result<u64, Arc<StoreError>>,
    /// Its device and inode.
    pub place: Option<(u64, u64)>,
}

impl FolderAnswer {
    /// Queries the folder. Blocks as long as its file system does.
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

/// What is at the path that a directory wants.
#[derive(Debug)]
pub struct NameTaken {
    /// The name that is wanted.
    pub name: ResourceName,
    /// The directory that is there, if it is one.
    pub directory: Option<FileIdentity>,
    /// Why the name waits, unless its content may replace that directory.
    pub why: Why,
}
