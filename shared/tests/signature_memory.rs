//! Counts the memory in which the signature of the largest manifest is checked. A process of its own, because the
//! allocator of a process can be counted only as a whole.

#![allow(
    unsafe_code,
    reason = "an allocator is unsafe by its nature; it passes everything on to the system's"
)]

use minisign::KeyPair;
use shared::chunk::CHUNKS_MAX;
use shared::id::{ChunkHash, ResourceId};
use shared::manifest::Manifest;
use shared::signature::{NotVerified, PublicKey, SignatureText};
use std::io::Cursor;

/// The allocator with which the decoders of the fuzz targets are limited.
#[path = "../../tests/fuzz/src/memory.rs"]
mod memory;

/// The text has 273 MB.
#[test]
fn the_largest_manifest_is_checked_in_little_memory() {
    let hash = |index: u32| {
        let mut hash = [7; 32];
        hash[..4].copy_from_slice(&index.to_le_bytes());
        ChunkHash(hash)
    };
    let hashes = (0..CHUNKS_MAX).map(hash).collect();
    let trackers = vec!["tt://tracker.example".parse().unwrap()];
    let manifest = Manifest::new("n".parse().unwrap(), ResourceId([1; 32]), trackers, hashes).unwrap();
    let keys = KeyPair::generate_unencrypted_keypair().unwrap();
    let signed = minisign::sign(None, &keys.sk, Cursor::new(manifest.to_text()), None, None).unwrap();
    let signature: SignatureText = signed.to_string().parse().unwrap();
    let key: PublicKey = keys.pk.to_box().unwrap().into_string().parse().unwrap();

    memory::bounded(1 << 20, 0, || {
        assert_eq!(key.verify(&manifest, &signature), Ok(()));
        let other = manifest.with_name("m".parse().unwrap());
        assert_eq!(key.verify(&other, &signature), Err(NotVerified::Wrong));
    });
}
