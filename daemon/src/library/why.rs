//! Why a resource or one of its names makes no progress. The state keeps these values; texts for users are made from
//! them elsewhere.

use crate::store::{NoRoom, NotHere, StoreError};
use shared::chunk::ChunkIndex;
use shared::name::ResourceName;
use shared::rpc::control::ErrorKind;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Why something makes no progress.
#[derive(Debug, Clone)]
pub enum Why {
    /// There is no room for the data that is still to be written.
    NoRoom(NoRoom),
    /// The disk reported an error.
    Disk(Arc<StoreError>),
    /// The shared directory is missing.
    NotHere(NotHere),
    /// The shared directory has not answered for some time.
    Silent {
        /// Its path.
        folder: PathBuf,
        /// The time without an answer.
        span: Duration,
    },
    /// The shared directory has a file with other content under the name.
    NameTaken(ResourceName),
    /// Something is at the path where a download would be laid out as a directory, and it may not be replaced.
    DirectoryTaken {
        /// The name of the download.
        name: ResourceName,
        /// The path.
        path: PathBuf,
        /// What is there ("a file"); `None` for another directory.
        what: Option<&'static str>,
    },
    /// A download is a directory, and the only name that it has left is not the name of one.
    NoDirectoryName(ResourceName),
    /// A directory is here under another name, and it has one name.
    OtherName {
        /// The name that it does not get.
        name: ResourceName,
        /// The name that it has.
        first: ResourceName,
    },
    /// Something that is not a file is at the path of a file or its manifest.
    Obstructed {
        /// The path.
        path: PathBuf,
        /// What it is ("a directory").
        what: &'static str,
    },
    /// Every chunk matches the manifest, but the whole file does not.
    FalseManifest,
    /// Its bytes match its manifest, and are no tree although they begin like one.
    NoTree {
        /// The name.
        name: ResourceName,
        /// Why they are no tree.
        why: String,
    },
    /// It is a tree with a symbolic link that leads outside of it, and nobody has allowed that.
    LinkOutside {
        /// The name.
        name: ResourceName,
        /// The path of the link, with the top directory.
        link: String,
    },
    /// A file that was shared from this machine has changed.
    OriginalDiffers {
        /// The name.
        name: ResourceName,
        /// The number of chunks that differ; 0 if it only became longer.
        differing: u32,
        /// The number of all its chunks.
        total: u32,
        /// Whether nobody wrote to it, so that the disk has damaged it.
        is_damaged: bool,
    },
    /// A file that was fetched has changed.
    CopyDiffers {
        /// The name.
        name: ResourceName,
        /// The number of chunks that differ; 0 if it only became longer.
        differing: u32,
        /// The number of all its chunks.
        total: u32,
    },
    /// The directory beside a manifest is not the one that it describes. Nobody knows what it was, and it is kept.
    TreeDiffers {
        /// The name.
        name: ResourceName,
        /// The number of chunks that are right.
        right: u32,
        /// The number of all chunks.
        total: u32,
    },
    /// The file under a name was changed or removed since it was hashed; its new content was not read yet.
    Changed(ResourceName),
    /// The file under the name is gone.
    Gone(ResourceName),
    /// The file under a name cannot be read; the error says which, and why.
    FileUnreadable(Arc<io::Error>),
    /// The data of a download cannot be read; the error says where.
    PartUnreadable(Arc<io::Error>),
    /// The disk cannot read this chunk of a download although it was written again.
    ChunkUnreadable(ChunkIndex),
    /// This chunk of a served file was damaged by the disk.
    ChunkDamaged(ChunkIndex),
    /// Its manifest does not have the signature that its name needs.
    NotTrusted(Arc<dyn std::error::Error + Send + Sync>),
}

impl Why {
    /// The kind of error, from which ttctl derives its exit code.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Why::NoRoom(_) => ErrorKind::NoSpace,
            Why::Disk(error) if error.is_no_space() => ErrorKind::NoSpace,
            Why::FalseManifest
            | Why::NotTrusted(_)
            | Why::NoTree { .. }
            | Why::LinkOutside { .. }
            | Why::CopyDiffers { .. }
            | Why::OriginalDiffers { is_damaged: true, .. } => ErrorKind::BadData,
            Why::NotHere(_)
            | Why::Silent { .. }
            | Why::NameTaken(_)
            | Why::DirectoryTaken { .. }
            | Why::NoDirectoryName(_)
            | Why::OtherName { .. }
            | Why::OriginalDiffers { .. }
            | Why::TreeDiffers { .. }
            | Why::Changed(_)
            | Why::Gone(_)
            | Why::FileUnreadable(_)
            | Why::ChunkDamaged(_) => ErrorKind::Refused,
            Why::Disk(_) | Why::Obstructed { .. } | Why::PartUnreadable(_) | Why::ChunkUnreadable(_) => {
                ErrorKind::Internal
            }
        }
    }

    /// Whether a download ended because of what it is. It is begun anew when somebody asks for it.
    pub fn is_of_the_content(&self) -> bool {
        matches!(self, Why::FalseManifest | Why::NoTree { .. } | Why::LinkOutside { .. })
    }

    /// The number of chunks that a check of the file found to be right, if one did.
    pub fn chunks_right(&self) -> Option<u32> {
        match self {
            Why::OriginalDiffers { differing, total, .. } | Why::CopyDiffers { differing, total, .. } => {
                Some(total.saturating_sub(*differing))
            }
            Why::TreeDiffers { right, .. } => Some(*right),
            _ => None,
        }
    }

    /// Whether the only problem is a lack of room.
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

/// Why a download is stopped for a reason outside the swarm.
#[derive(Debug, Clone)]
pub struct Blocked {
    /// The reason.
    pub why: Why,
    /// When to try again.
    pub retry_at: Instant,
    /// Whether a test write is running to find out whether the disk works again.
    pub probing: bool,
}

/// Why a resource cannot continue.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The reason.
    pub why: Why,
    /// When to check again automatically, if that may help.
    pub retry_at: Option<Instant>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use io::ErrorKind as Io;

    fn disk(kind: Io) -> Why {
        StoreError { doing: "write", path: "x".into(), source: kind.into() }.into()
    }

    #[test]
    fn only_a_lack_of_room_counts_as_one() {
        let no_room = Why::from(NoRoom::Unknown(None));
        let cases = [
            (no_room, true),
            (disk(Io::StorageFull), true),
            (disk(Io::QuotaExceeded), true),
            (disk(Io::PermissionDenied), false),
            (Why::FalseManifest, false),
        ];
        for (why, is_for_room) in cases {
            let is_no_space = why.kind() == ErrorKind::NoSpace;
            assert_eq!((is_no_space, why.is_for_room()), (is_for_room, is_for_room), "{why:?}");
        }
        assert_eq!(disk(Io::PermissionDenied).kind(), ErrorKind::Internal);
    }

    /// Fetching it again would bring the same bytes, so only a user's wish begins it again.
    #[test]
    fn a_download_that_ended_because_of_its_content_is_known() {
        let (name, link) = ("x.tar".parse::<ResourceName>().unwrap(), "x/l".to_owned());
        let of_the_content = [
            Why::FalseManifest,
            Why::NoTree { name: name.clone(), why: String::new() },
            Why::LinkOutside { name: name.clone(), link },
        ];
        assert!(of_the_content.iter().all(|why| why.is_of_the_content() && why.kind() == ErrorKind::BadData));
        let others = [Why::Gone(name), disk(Io::StorageFull), NoRoom::Unknown(None).into()];
        assert!(!others.iter().any(Why::is_of_the_content));
    }

    #[test]
    fn what_a_check_found_to_be_right_is_counted() {
        let name: ResourceName = "x".parse().unwrap();
        let original =
            Why::OriginalDiffers { name: name.clone(), differing: 2, total: 10, is_damaged: false };
        let copy = Why::CopyDiffers { name: name.clone(), differing: 10, total: 10 };
        let tree = Why::TreeDiffers { name: name.clone(), right: 7, total: 10 };
        let right = [original, copy, tree, Why::Gone(name)].map(|why| why.chunks_right());
        assert_eq!(right, [Some(8), Some(0), Some(7), None]);
    }
}
