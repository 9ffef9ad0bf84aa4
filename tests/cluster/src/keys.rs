//! Two pairs of keys of minisign, without passwords.

use std::fs;
use std::path::{Path, PathBuf};

/// A pair of keys, in two files.
pub struct Keys {
    /// The id, as minisign writes it.
    pub id: &'static str,
    /// The file with the secret key.
    pub secret: PathBuf,
    /// The file with the public key.
    pub public: PathBuf,
    /// The public key as text.
    pub text: &'static str,
}

impl Keys {
    /// The keys of the release team.
    pub fn release(folder: &Path) -> Keys {
        let secret = "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAOpvrg9uxoK2zTPvaSFSbWSekLq6LTTaOIVkzPQ7XeJOGLQACc+2mLemxmYaZInORDksE7Jxrgt6v72AroUKfcJSMr9LYMQ93AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let public = "RWQ6m+uD27GgremxmYaZInORDksE7Jxrgt6v72AroUKfcJSMr9LYMQ93";
        write(folder, "release", "ADA0B1DB83EB9B3A", secret, public)
    }

    /// The keys of somebody else.
    pub fn other(folder: &Path) -> Keys {
        let secret = "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACP0aFxi5w5CpJH9NPIlNo6B4dlWAhywJz09eGwFlod6VCkGAgiOVL2uMkyK4ccOri0PcX41vTT8WggNjZ+qWd5XZ9pWY/fBYAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let public = "RWQI/RoXGLnDkGuMkyK4ccOri0PcX41vTT8WggNjZ+qWd5XZ9pWY/fBY";
        write(folder, "other", "90C3B918171AFD08", secret, public)
    }
}

fn write(folder: &Path, name: &str, id: &'static str, secret: &str, public: &'static str) -> Keys {
    let path = |suffix: &str| folder.join(format!("{name}.{suffix}"));
    let keys = Keys { id, secret: path("key"), public: path("pub"), text: public };
    let secret = format!("untrusted comment: minisign encrypted secret key\n{secret}\n");
    fs::write(&keys.secret, secret).expect("writes a key");
    let public = format!("untrusted comment: minisign public key {id}\n{public}\n");
    fs::write(&keys.public, public).expect("writes a key");
    keys
}
