//! Finished files without a record: `NAME` next to `NAME.tinytorrent`, for example because records were lost or the
//! directory was restored from a backup. The manifest counts as a stranger's text here.

use super::{At, Home, StoreError, invalid, open_regular, read};
use shared::chunk::ChunkCount;
use shared::manifest::{LINE_BYTES_MAX, Manifest, Parser};
use shared::name::{MANIFEST_SUFFIX, ResourceName};
use shared::signature::{SIGNATURE_BYTES_MAX, SignatureText};
use std::fs;
use std::io::{self, Read};

/// The number of bytes read at a time.
const READ_BYTES: usize = 64 << 10;

/// Limits the lines before the list of chunk hashes: the name, the id and the trackers, with one to spare.
const HEAD_LINES_MAX: u64 = 4;

/// Limits the chunks of a manifest beside a directory, whose size is not known before it was walked. A larger one is not
/// recognized without its record. That many are 1 TiB, and the text of their manifest has 65 MiB.
const TREE_CHUNKS_MAX: u32 = 1 << 20;

/// The bytes of a chunk's line: 64 digits and the line end.
const CHUNK_LINE_BYTES: u64 = 65;

impl Home {
    /// The names of visible manifests, with or without a file next to them; at most `names_max`.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn shown_manifests(&self, names_max: usize) -> Result<Vec<ResourceName>, StoreError> {
        let folder = self.folder();
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).at("read the directory", folder)? {
            let entry = entry.at("read the directory", folder)?.file_name();
            let name = entry.to_str().and_then(|text| text.strip_suffix(MANIFEST_SUFFIX));
            names.extend(name.and_then(|name| name.parse::<ResourceName>().ok()));
            if names.len() == names_max {
                break;
            }
        }
        Ok(names)
    }

    /// The visible manifest of a name, if it fits the file next to it. No more is read than a file of that size needs.
    /// Where no file is and a directory may be the resource, no more is read than the manifest of a directory needs that has
    /// [`TREE_CHUNKS_MAX`] chunks.
    ///
    /// # Errors
    /// When there is no such file, or the manifest belongs to something else.
    pub fn shown_manifest(&self, name: &ResourceName) -> Result<Manifest, StoreError> {
        let (path, file) = (self.manifest_file(name), self.file(name));
        if self.directory(name).is_some() && !file.exists() {
            let bytes_max = head_bytes_max() + CHUNK_LINE_BYTES * u64::from(TREE_CHUNKS_MAX);
            return self.read_shown(name, bytes_max, "a directory");
        }
        let bytes = open_regular(&file)?.metadata().at("access", &file)?.len();
        let count = ChunkCount::of_bytes(bytes)
            .ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))
            .at("use", &file)?;
        let bytes_max = head_bytes_max() + CHUNK_LINE_BYTES * u64::from(count.get());
        let manifest = self.read_shown(name, bytes_max, &format!("a file of {bytes} bytes"))?;
        if manifest.count() != count {
            let why = format!("it has {} chunks, but the file has {} bytes", manifest.count(), bytes);
            return Err(invalid(why)).at("use", &path);
        }
        Ok(manifest)
    }

    /// The signature beside the visible manifest of a name; `None` if there is none that is well formed.
    pub fn shown_signature(&self, name: &ResourceName) -> Option<SignatureText> {
        let bytes = read::whole(&self.signature_file(name), SIGNATURE_BYTES_MAX as u64).ok()?;
        SignatureText::of_bytes(&bytes).ok()
    }

    /// Reads the visible manifest of a name, of at most this many bytes; `whose` says in errors what it belongs to.
    fn read_shown(&self, name: &ResourceName, bytes_max: u64, whose: &str) -> Result<Manifest, StoreError> {
        let path = self.manifest_file(name);
        let text = open_regular(&path)?;
        if text.metadata().at("access", &path)?.len() > bytes_max {
            return Err(invalid(format!("it is too large for {whose}"))).at("use", &path);
        }
        let manifest = parse(text.take(bytes_max)).at("use", &path)?;
        if manifest.name() != name {
            return Err(invalid(format!("it is the manifest of {}", manifest.name()))).at("use", &path);
        }
        Ok(manifest)
    }
}

fn head_bytes_max() -> u64 {
    HEAD_LINES_MAX * LINE_BYTES_MAX as u64
}

fn parse(mut text: impl Read) -> io::Result<Manifest> {
    let (mut parser, mut buffer) = (Parser::new(), vec![0; READ_BYTES]);
    loop {
        match text.read(&mut buffer) {
            Ok(0) => return parser.finish().map_err(invalid),
            Ok(bytes) => parser.feed(&buffer[..bytes]).map_err(invalid)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ChunkHash, ResourceId};

    #[test]
    fn only_a_manifest_that_fits_the_file_beside_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let (name, other): (ResourceName, ResourceName) = ("x".parse().unwrap(), "y".parse().unwrap());
        let bytes = vec![7; (1 << 20) + 1];
        let hashes = bytes.chunks(1 << 20).map(ChunkHash::of).collect();
        let trackers = vec!["tt://127.0.0.1:1".parse().unwrap()];
        let manifest = Manifest::new(name.clone(), ResourceId::of(&bytes), trackers, hashes).unwrap();
        let shown = home.manifest_file(&name);
        fs::write(&shown, manifest.to_text()).unwrap();
        assert_eq!(home.shown_manifests(9).unwrap(), std::slice::from_ref(&name));
        assert!(home.shown_manifests(0).unwrap().len() <= 1);
        assert!(home.shown_manifest(&name).is_err(), "no file lies beside it");

        fs::write(home.file(&name), &bytes).unwrap();
        assert_eq!(home.shown_manifest(&name).unwrap(), manifest);
        fs::write(home.file(&name), &bytes[1..]).unwrap();
        assert!(home.shown_manifest(&name).unwrap_err().to_string().contains("2 chunks"));
        fs::write(home.file(&other), &bytes).unwrap();
        fs::copy(&shown, home.manifest_file(&other)).unwrap();
        assert!(home.shown_manifest(&other).unwrap_err().to_string().contains("the manifest of x"));

        // A sparse file that must not be read to its end.
        fs::File::options().write(true).open(&shown).unwrap().set_len(1 << 40).unwrap();
        fs::write(home.file(&name), &bytes).unwrap();
        assert!(home.shown_manifest(&name).unwrap_err().to_string().contains("too large"));
        fs::remove_file(&shown).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &shown).unwrap();
        assert!(home.shown_manifest(&name).is_err());
    }
}
