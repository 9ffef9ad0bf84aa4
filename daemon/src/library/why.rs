//! Why a resource, or one of its names, does not go on. The state keeps what it is; what people read is made of it where
//! they are told.

use crate::store::{NoRoom, NotHere, StoreError};
use shared::chunk::ChunkIndex;
use shared::name::ResourceName;
use shared::rpc::control::ErrorKind;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Why something does not go on.
#[derive(Debug, Clone)]
pub enum Why {
    /// What is still to be written finds no room.
    NoRoom(NoRoom),
    /// The disk refused something.
    Disk(Arc<StoreError>),
    /// The shared folder is not there.
    NotHere(NotHere),
    /// The shared folder has not answered for this time.
    Silent {
        /// Which folder.
        folder: PathBuf,
        /// For how long.
        span: Duration,
    },
    /// The shared folder has a file with other content under the name.
    NameTaken(ResourceName),
    /// Something that is no file lies where a file, or its manifest, belongs.
    Obstructed {
        /// Where.
        path: PathBuf,
        /// What it is ("a directory").
        what: &'static str,
    },
    /// Every chunk is as the manifest says, and the whole is not.
    FalseManifest,
    /// A file that was shared from this machine is not what it was.
    OriginalDiffers {
        /// Under which name.
        name: ResourceName,
        /// How many of its chunks differ; 0 if it is longer than it was.
        chunks: u32,
        /// Nobody wrote to it: the disk has damaged it.
        is_damaged: bool,
    },
    /// A file that was fetched is not what it was.
    CopyDiffers {
        /// Under which name.
        name: ResourceName,
        /// How many of its chunks differ; 0 if it is longer than it was.
        chunks: u32,
    },
    /// The file under a name was written to since it was hashed, or is gone; it was not read yet.
    Changed(ResourceName),
    /// There is no file under the name any more.
    Gone(ResourceName),
    /// The file under a name cannot be read.
    FileUnreadable {
        /// Under which name.
        name: ResourceName,
        /// What the system said.
        error: Arc<io::Error>,
    },
    /// What there is of a download cannot be read; the error says where.
    PartUnreadable(Arc<io::Error>),
    /// The disk does not read this chunk of a download, although it was written anew.
    ChunkUnreadable(ChunkIndex),
    /// This chunk of a file that is served is not what it was: the disk has damaged it.
    ChunkDamaged(ChunkIndex),
}

impl Why {
    /// What ttctl makes its exit code of.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Why::NoRoom(_) => ErrorKind::NoSpace,
            Why::Disk(error) if error.is_no_space() => ErrorKind::NoSpace,
            Why::FalseManifest | Why::CopyDiffers { .. } | Why::OriginalDiffers { is_damaged: true, .. } => {
                ErrorKind::BadData
            }
            Why::NotHere(_)
            | Why::Silent { .. }
            | Why::NameTaken(_)
            | Why::OriginalDiffers { .. }
            | Why::Changed(_)
            | Why::Gone(_)
            | Why::FileUnreadable { .. }
            | Why::ChunkDamaged(_) => ErrorKind::Refused,
            Why::Disk(_) | Why::Obstructed { .. } | Why::PartUnreadable(_) | Why::ChunkUnreadable(_) => {
                ErrorKind::Internal
            }
        }
    }

    /// Whether room on the disk is all that is wanting.
    pub fn is_for_room(&self) -> bool {
        match self {
            Why::NoRoom(_) => true,
            Why::Disk(error) => error.is_no_space(),
            _ => false,
        }
    }
}

impl From<StoreError> for Why {
    fn from(error: StoreError) -> Why {
        Why::Disk(Arc::new(error))
    }
}

impl From<NoRoom> for Why {
    fn from(no_room: NoRoom) -> Why {
        Why::NoRoom(no_room)
    }
}

/// Why a download stands still through no fault of the swarm.
#[derive(Debug, Clone)]
pub struct Blocked {
    /// What stands in its way.
    pub why: Why,
    /// When to try again.
    pub retry_at: Instant,
    /// It is being found out whether the disk takes something again.
    pub probing: bool,
}

/// Why a resource cannot go on.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What is wrong.
    pub why: Why,
    /// When to look again by itself, where that may help.
    pub retry_at: Option<Instant>,
}
