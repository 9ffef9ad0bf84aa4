//! The caller's own files: opened safely, and written completely or not at all.

use crate::error::{Error, Kind};
use crate::leftovers;
use shared::manifest::{Manifest, Parser};
use shared::name::{BadName, MANIFEST_SUFFIX, ResourceName, SIGNATURE_SUFFIX};
use shared::shell;
use shared::signature::{SIGNATURE_BYTES_MAX, SignatureText};
use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{File, Metadata, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Opens a regular file. Anything else (a directory, a pipe without a writer) is refused before it is opened.
pub(crate) fn open_regular(path: &Path) -> Result<(File, Metadata), Error> {
    let io_error = |error| Error::io(format!("cannot open {}", path.display()), &error);
    let metadata = std::fs::metadata(path).map_err(io_error)?;
    if metadata.is_dir() {
        return Err(Error::refused(format!("{} is a directory, not a file", path.display())));
    }
    if !metadata.is_file() {
        return Err(Error::refused(format!("{} is not a regular file", path.display())));
    }
    let file = File::open(path).map_err(io_error)?;
    let metadata = file.metadata().map_err(io_error)?;
    Ok((file, metadata))
}

/// The name of a file as the name of a resource.
pub(crate) fn name_of(path: &Path) -> Result<ResourceName, Error> {
    let refused = |why: String| {
        Error::refused(format!("cannot share {}: {why}", path.display())).hint("rename the file")
    };
    let name = path.file_name().ok_or_else(|| refused("the path has no file name".to_owned()))?;
    let name = name.to_str().ok_or_else(|| refused("the name is not UTF-8".to_owned()))?;
    name.parse().map_err(|why| match why {
        BadName::Suffix => Error::refused(format!("cannot share {}: it is a manifest", path.display()))
            .hint(format!("to fetch what it describes: `ttctl get {}`", word(path))),
        BadName::Signature => {
            Error::refused(format!("cannot share {}: it is the signature of a manifest", path.display()))
                .hint("share the file that the manifest describes")
        }
        why => refused(why.to_string()),
    })
}

/// The directory that a file is in.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether `folder` is the directory with this device and inode, whatever its path.
pub(crate) fn is_folder(folder: &Path, device: u64, inode: u64) -> bool {
    std::fs::metadata(folder).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == (device, inode))
}

/// The path as a word of a command that is shown.
fn word(path: &Path) -> String {
    shell::word(&path.to_string_lossy())
}

/// A file without the suffix of manifests is most likely meant to be shared, so the error does not describe its bytes.
fn no_manifest(path: &Path, error: &impl Display) -> Error {
    let shown = path.display();
    if path.to_string_lossy().ends_with(MANIFEST_SUFFIX) {
        return Error::bad_data(format!("{shown} is not a valid .tinytorrent manifest: {error}"))
            .hint("it may be incomplete: copy it again from where it comes from");
    }
    Error::bad_data(format!("{shown} is not a valid .tinytorrent manifest"))
        .hint(format!("to share it: `ttctl share {}`", word(path)))
}

/// Reads the manifest at the path that `get` was given. If it does not exist, the hint suggests to get it by its name.
pub(crate) fn read_manifest_to_get(path: &Path) -> Result<Manifest, Error> {
    let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(MANIFEST_SUFFIX));
    read_manifest(path).map_err(|error| match name.filter(|name| !name.is_empty() && !path.exists()) {
        Some(name) => error.hint(format!("to fetch it by its name: `ttctl get {}`", shell::word(name))),
        None => error,
    })
}

/// Reads and parses a manifest in parts, so that one that is refused is never in memory as a whole.
pub(crate) fn read_manifest(path: &Path) -> Result<Manifest, Error> {
    if path.is_dir() {
        return Err(Error::refused(format!("{} is a directory, not a manifest", path.display())));
    }
    let (mut file, _) = open_regular(path)?;
    let mut parser = Parser::new();
    let mut buffer = vec![0; 64 << 10];
    let bad = |error| no_manifest(path, &error);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return parser.finish().map_err(bad),
            Ok(bytes) => parser.feed(&buffer[..bytes]).map_err(bad)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(Error::io(format!("cannot read {}", path.display()), &error)),
        }
    }
}

/// The path of the signature of a manifest.
pub(crate) fn signature_beside(manifest: &Path) -> PathBuf {
    let mut beside = OsString::from(manifest);
    beside.push(SIGNATURE_SUFFIX);
    beside.into()
}

/// Reads the signature beside a manifest; `None` if there is no such file.
pub(crate) fn read_signature_beside(manifest: &Path) -> Result<Option<SignatureText>, Error> {
    let path = signature_beside(manifest);
    if !path.exists() {
        return Ok(None);
    }
    let (file, _) = open_regular(&path)?;
    let mut bytes = Vec::new();
    let read = file.take(SIGNATURE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| Error::io(format!("cannot read {}", path.display()), &error))?;
    let signature = SignatureText::of_bytes(&bytes);
    signature.map(Some).map_err(|why| {
        Error::bad_data(format!("{}: {why}", path.display()))
            .hint("copy it again from where the manifest comes from")
    })
}

/// A file that appears at `path` when it is complete. Until then it is a part file beside it, which is deleted if
/// something fails. What a killed ttctl has left there is deleted, too.
pub(crate) struct NewFile<'a> {
    path: &'a Path,
    part: NamedTempFile,
}

/// How often another part file is made if somebody else has deleted the last one.
const ATTEMPTS_MAX: usize = 8;

impl<'a> NewFile<'a> {
    pub(crate) fn create(path: &'a Path) -> Result<NewFile<'a>, Error> {
        NewFile::create_with_mode(path, 0o666)
    }

    /// With these permissions, less the umask.
    pub(crate) fn create_with_mode(path: &'a Path, mode: u32) -> Result<NewFile<'a>, Error> {
        must_be_replaceable(path)?;
        leftovers::remove(parent(path));
        for _ in 0..ATTEMPTS_MAX {
            let part = tempfile::Builder::new()
                .prefix(leftovers::PREFIX)
                .suffix(leftovers::FILE_SUFFIX)
                .permissions(Permissions::from_mode(mode))
                .tempfile_in(parent(path))
                .map_err(|error| write_error(path, &error))?;
            if leftovers::lock(part.as_file(), part.path()) {
                return Ok(NewFile { path, part });
            }
        }
        Err(Error::internal(format!("somebody else deletes what is written beside {}", path.display())))
    }

    pub(crate) fn file(&mut self) -> &mut File {
        self.part.as_file_mut()
    }

    /// Gives the file its name.
    pub(crate) fn publish(self, replace: bool) -> Result<(), Error> {
        self.part.as_file().sync_all().map_err(|error| write_error(self.path, &error))?;
        let result =
            if replace { self.part.persist(self.path) } else { self.part.persist_noclobber(self.path) };
        match result {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(exists(self.path)),
            Err(error) => Err(write_error(self.path, &error.error)),
        }
    }
}

/// Refuses to replace a device, a pipe or a socket: root could break the machine by accident.
pub(crate) fn must_be_replaceable(path: &Path) -> Result<(), Error> {
    match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => {
            Err(Error::refused(format!("{} is not a regular file and cannot be replaced", path.display()))
                .hint("name a file or a directory with -o"))
        }
        _ => Ok(()),
    }
}

/// The error if something already exists where a new file should be.
pub(crate) fn exists(path: &Path) -> Error {
    Error::refused(format!("{} already exists", path.display())).hint("use --replace to replace it")
}

pub(crate) fn write_error(path: &Path, error: &io::Error) -> Error {
    let error = Error::io(format!("cannot write {}", path.display()), error);
    if error.kind == Kind::NoSpace {
        error.hint("free some space, or choose another place with -o")
    } else {
        error
    }
}
