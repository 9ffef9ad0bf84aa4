//! `sign`, which needs no daemon, and minisign(1), which reads what it writes and writes what is read here.

use super::{bytes, manifest, text, ttctl, ttctl_fails};
use cluster::skip::skipped;
use data_encoding::BASE64;
use minisign::KeyPair;
use shared::manifest::Manifest;
use shared::signature::{PublicKey, SignatureText};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A directory with a manifest and a pair of keys without a password.
struct Signing {
    folder: TempDir,
    manifest: Manifest,
}

impl Signing {
    fn new() -> Signing {
        let signing = Signing { folder: tempfile::tempdir().unwrap(), manifest: manifest("x é", &bytes(5)) };
        fs::write(signing.torrent(), signing.manifest.to_text()).unwrap();
        let keys = KeyPair::generate_unencrypted_keypair().unwrap();
        fs::write(signing.path("x.key"), keys.sk.to_box(None).unwrap().into_string()).unwrap();
        fs::write(signing.path("x.pub"), keys.pk.to_box().unwrap().into_string()).unwrap();
        signing
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn torrent(&self) -> PathBuf {
        self.path("x é.tinytorrent")
    }

    fn public_key(&self) -> PublicKey {
        fs::read_to_string(self.path("x.pub")).unwrap().parse().unwrap()
    }

    fn signature(&self) -> SignatureText {
        SignatureText::of_bytes(&fs::read(self.path("x é.tinytorrent.minisig")).unwrap()).unwrap()
    }

    fn sign(&self, key: &str) -> (u8, String) {
        ttctl_fails(&["sign", text(&self.torrent()), "-s", text(&self.path(key))])
    }

    /// Runs minisign, if it is installed.
    fn minisign(&self, args: &[&str]) -> Option<String> {
        let ran = Command::new("minisign").args(args).current_dir(self.folder.path()).output();
        let Ok(ran) = ran else {
            skipped("minisign is missing (apt-get install minisign)");
            return None;
        };
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "minisign {args:?}: {out}{err}");
        Some(out.into_owned())
    }
}

#[test]
fn a_signature_lies_beside_its_manifest() {
    let signing = Signing::new();
    let (printed, result) = ttctl(&["sign", text(&signing.torrent()), "-s", text(&signing.path("x.key"))]);
    result.unwrap();
    let (signature, key) = (signing.signature(), signing.public_key());
    let beside = signing.path("x é.tinytorrent.minisig");
    assert_eq!(printed, format!("{}  {}\n", key.id(), beside.display()));
    assert_eq!(key.verify(&signing.manifest, &signature), Ok(()));
    assert_eq!(fs::read_to_string(&beside).unwrap(), signature.as_str(), "it is written in its one form");
    assert!(signature.trusted_comment().ends_with("\tfile:x é.tinytorrent\thashed"));
    let now = shared::host::clock::time_of_day().as_secs();
    assert!(signature.timestamp().is_some_and(|then| then <= now && now - then < 3600));
}

#[test]
fn several_manifests_are_signed_and_described() {
    let signing = Signing::new();
    let other = signing.path("other.tinytorrent");
    fs::write(&other, manifest("other", &bytes(7)).to_text()).unwrap();
    let (torrent, key) = (signing.torrent(), signing.path("x.key"));
    let (printed, result) = ttctl(&["sign", text(&torrent), text(&other), "-s", text(&key), "--json"]);
    result.unwrap();
    let document: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let signatures = document["signatures"].as_array().unwrap();
    assert_eq!(signatures.len(), 2);
    assert_eq!(signatures[1]["signature"], format!("{}.minisig", text(&other)));
    assert_eq!(signatures[0]["key_id"], signing.public_key().id().to_string());
    assert_eq!(signatures[0]["timestamp"], signing.signature().timestamp().unwrap());
}

/// Machines check the text that they make of a manifest, so nothing else is signed.
#[test]
fn only_the_exact_bytes_of_a_manifest_are_signed() {
    let signing = Signing::new();
    let text = signing.manifest.to_text();
    let (head, hash) = text.trim_end().rsplit_once('\n').unwrap();
    for odd in
        [text.replace('\n', "\r\n"), text.trim_end().to_owned(), format!("{head}\n{}\n", hash.to_uppercase())]
    {
        fs::write(signing.torrent(), &odd).unwrap();
        let (code, message) = signing.sign("x.key");
        assert_eq!(code, 6, "{message}");
        assert!(message.contains("is not written as ttctl writes it"), "{message}");
    }
    fs::write(signing.torrent(), "no manifest").unwrap();
    assert_eq!(signing.sign("x.key").0, 6);
    assert!(!signing.path("x é.tinytorrent.minisig").exists());
}

#[test]
fn what_is_no_secret_key_is_named() {
    let signing = Signing::new();
    let key = fs::read_to_string(signing.path("x.key")).unwrap();
    let (comment, line) = key.trim_end().split_once('\n').unwrap();
    let changed = |at: usize, to: u8| {
        let mut bytes = BASE64.decode(line.as_bytes()).unwrap();
        bytes[at] = to;
        format!("{comment}\n{}\n", BASE64.encode(&bytes))
    };
    let public = fs::read_to_string(signing.path("x.pub")).unwrap();
    let cases = [
        (public, "is not a secret key of minisign"),
        (String::new(), "is not a secret key of minisign"),
        (format!("{comment}\n"), "is not a secret key of minisign"),
        (key.replace('R', "\u{1b}"), "is not a secret key of minisign"),
        ("x".repeat(1 << 20), "is not a secret key of minisign"),
        (changed(3, 9), "is not a secret key of minisign"),
        (changed(70, 0x55), "is damaged"),
        (changed(100, 0x55), "is damaged"),
    ];
    for (content, expected) in cases {
        fs::write(signing.path("bad.key"), content).unwrap();
        let (code, message) = signing.sign("bad.key");
        assert!(message.contains(expected) && code == 6, "{code} {message}");
        assert!(!message.contains(char::is_control), "{message:?}");
    }
    assert_eq!(signing.sign("none.key").0, 4);
    assert!(signing.sign(".").1.contains("is a directory"));
}

/// A key of `minisign -G -W` has no checksum: one that is damaged is found by its public half.
#[test]
fn a_damaged_key_without_a_checksum_signs_nothing() {
    let signing = Signing::new();
    let key = fs::read_to_string(signing.path("x.key")).unwrap();
    let (comment, line) = key.trim_end().split_once('\n').unwrap();
    let mut bytes = BASE64.decode(line.as_bytes()).unwrap();
    bytes[126..].fill(0);
    let write = |bytes: &[u8]| {
        fs::write(signing.path("c.key"), format!("{comment}\n{}\n", BASE64.encode(bytes))).unwrap();
    };
    write(&bytes);
    let (_, result) = ttctl(&["sign", text(&signing.torrent()), "-s", text(&signing.path("c.key"))]);
    result.unwrap();
    assert_eq!(signing.public_key().verify(&signing.manifest, &signing.signature()), Ok(()));
    fs::remove_file(signing.path("x é.tinytorrent.minisig")).unwrap();
    for at in [62, 94] {
        bytes[at] ^= 1;
        write(&bytes);
        let (code, message) = signing.sign("c.key");
        assert!(code == 6 && message.contains("is damaged"), "{code} {message}");
        bytes[at] ^= 1;
    }
    assert!(!signing.path("x é.tinytorrent.minisig").exists());
}

#[test]
fn a_name_without_room_for_the_suffixes_is_not_signed() {
    let signing = Signing::new();
    let long = manifest(&"n".repeat(236), &bytes(5));
    fs::write(signing.torrent(), long.to_text()).unwrap();
    let (code, message) = signing.sign("x.key");
    assert!(code == 4 && message.ends_with("the name is longer than 235 bytes"), "{code} {message}");
}

#[test]
fn debians_minisign_checks_what_we_signed() {
    let signing = Signing::new();
    ttctl(&["sign", text(&signing.torrent()), "-s", text(&signing.path("x.key"))]).1.unwrap();
    let Some(told) = signing.minisign(&["-Vm", "x é.tinytorrent", "-p", "x.pub"]) else { return };
    assert!(told.contains("Signature and comment signature verified"), "{told}");
}

#[test]
fn what_debians_minisign_signed_is_right_here_and_with_its_key_we_sign() {
    let signing = Signing::new();
    if signing.minisign(&["-G", "-W", "-f", "-p", "x.pub", "-s", "c.key"]).is_none() {
        return;
    }
    let key = signing.public_key();
    signing.minisign(&["-S", "-s", "c.key", "-m", "x é.tinytorrent"]).unwrap();
    assert_eq!(key.verify(&signing.manifest, &signing.signature()), Ok(()));
    fs::remove_file(signing.path("x é.tinytorrent.minisig")).unwrap();
    ttctl(&["sign", text(&signing.torrent()), "-s", text(&signing.path("c.key"))]).1.unwrap();
    assert_eq!(key.verify(&signing.manifest, &signing.signature()), Ok(()));
    signing.minisign(&["-Vm", "x é.tinytorrent", "-p", "x.pub"]).unwrap();
}

#[test]
fn a_signature_is_not_shared_as_a_file() {
    let signing = Signing::new();
    let path: &Path = &signing.path("x.tinytorrent.minisig");
    fs::write(path, "").unwrap();
    let (code, message) = ttctl_fails(&["create", text(path), "--tracker", "tt://t"]);
    assert!(code == 4 && message.contains("it is the signature of a manifest"), "{code} {message}");
}
