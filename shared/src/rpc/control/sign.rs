//! Signing the manifest of what is shared: its parts for whoever signs it, and the signature.

use crate::chunk::ChunkCount;
use crate::id::ResourceId;
use crate::name::ResourceName;
use crate::rpc::message::Payload;
use crate::signature::{PublicKey, SignatureText};
use crate::url::TrackerUrl;
use serde::{Deserialize, Serialize};

/// The number of chunk hashes in one part of a manifest; the last one may have fewer. They take 1 MiB.
pub const PART_HASHES: u32 = 32 << 10;

/// A part of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestPart {
    pub name: ResourceName,
    pub resource: ResourceId,
    pub trackers: Vec<TrackerUrl>,
    pub count: ChunkCount,
    /// Raw hashes, 32 bytes each.
    pub hashes: Payload,
}

/// A signature for a name that is shared here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignRequest {
    pub name: ResourceName,
    pub signature: SignatureText,
    /// The key that made it. The daemon checks with it that the signature is that of its manifest.
    pub public_key: PublicKey,
}
