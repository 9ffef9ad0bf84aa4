//! `ttctl share`: shares files. A file in the shared directory is shared where it is. Any other is cloned, if the file
//! system can do that, or else its bytes are sent to ttd. With --move it is renamed, or deleted after its copy is
//! shared.

use crate::cli::{Global, ShareArgs};
use crate::clone::clone_in;
use crate::connect::{CALL_TIMEOUT, Daemon, PART_TIMEOUT};
use crate::documents::{Document, Share, Shares, kind};
use crate::each::Failures;
use crate::error::{Error, Kind};
use crate::files;
use crate::move_in::Source;
use crate::output::Output;
use crate::progress::{Now, Progress};
use crate::share_tree::share_tree;
use crate::sign_shared::sign_shared;
use crate::signing_key::SigningKey;
use crate::tasks;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use shared::host::environment;
use shared::host::sparse::{self, Holes};
use shared::id::ResourceId;
use shared::name::ResourceName;
use shared::rpc::control::{PART_BYTES_MAX, ShareRequest, Shared, TaskId, ZEROS_BYTES_MAX};
use shared::shell;
use shared::tree::TreeName;
use shared::zeros::ZEROS;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

pub(crate) async fn share(args: &ShareArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let trackers = environment::trackers(&args.trackers).map_err(|error| Error::usage(error.to_string()))?;
    let daemon = Daemon::connect(global).await?;
    if trackers.is_empty() && daemon.info.trackers.is_empty() {
        return Err(Error::usage("no tracker is named and none is configured")
            .hint("use --tracker tt://HOST, or set `trackers` in ttd.toml"));
    }
    let key = args.sign.as_deref().map(SigningKey::open).transpose()?;
    let mut done = Vec::new();
    let mut failures = Failures::default();
    let mut warned = BTreeSet::new(); // a warning that concerns all files is printed once
    for path in &args.paths {
        let request = |name| {
            let trackers = trackers.clone();
            ShareRequest {
                name,
                trackers,
                replace: args.replace,
                bytes: 0,
                data_bytes: 0,
                tree: None,
                to_be_signed: key.is_some(),
            }
        };
        let shared = async {
            let (shared, kept) = share_one(&daemon, path, request, args, output).await?;
            let Some(key) = &key else { return Ok((shared, kept)) };
            Ok::<_, Error>((signed(&daemon, key, shared, output).await?, kept))
        };
        match shared.await {
            Ok((shared, kept)) => {
                kept.into_iter().for_each(|why| failures.add(&path.to_string_lossy(), why, output));
                if !output.is_json() {
                    output.line(&format!(
                        "{}  {}",
                        output.id(&shared.resource),
                        shared.manifest.display()
                    ))?;
                    output.flush()?;
                }
                let new = shared.warnings.iter().filter(|warning| warned.insert((*warning).clone()));
                new.for_each(|warning| output.warning(warning));
                for why in &shared.refused {
                    failures.add(&path.to_string_lossy(), not_found(&shared, why), output);
                }
                done.push((shared, path.is_dir()));
            }
            Err(error) => {
                let is_last = error.kind == Kind::NoDaemon; // without a ttd the other files would fail, too
                failures.add(&path.to_string_lossy(), error, output);
                if is_last {
                    break;
                }
            }
        }
    }
    if output.is_json() {
        let shared = done.iter().map(|(shared, is_tree)| document(shared, *is_tree)).collect();
        output.json(&Document::new(Shares { shared, errors: failures.take() }))?;
    }
    failures.end()
}

/// Signs what was just shared, so that it is published.
async fn signed(daemon: &Daemon, key: &SigningKey, shared: Shared, output: &Output) -> Result<Shared, Error> {
    let name = shared.name.as_str();
    let signed = sign_shared(daemon, key, name, Progress::new(output, name)).await;
    let (signed, _) = signed.map_err(|error| {
        error.hint(format!("it is shared and not published yet; `ttctl sign {}` signs it", shell::word(name)))
    })?;
    let warnings = shared.warnings.into_iter().chain(signed.warnings).collect();
    Ok(Shared { warnings, ..signed })
}

/// The error when a file is shared but cannot be found by its name.
pub(crate) fn not_found(shared: &Shared, why: &str) -> Error {
    let name = &shared.name;
    Error::refused(format!("{name} is shared, but new machines cannot find it by name: {why}"))
        .hint(format!("see `ttctl status {name}`"))
}

fn document(shared: &Shared, is_tree: bool) -> Share {
    let tree = TreeName::of_resource(&shared.name).filter(|_| is_tree);
    let name = tree.as_ref().map_or(shared.name.as_str(), TreeName::as_str);
    Share {
        name: shared.name.to_string(),
        resource: shared.resource.to_string(),
        manifest: shared.manifest.display().to_string(),
        warnings: shared.warnings.clone(),
        refused: shared.refused.clone(),
        kind: kind(is_tree),
        path: shared.manifest.with_file_name(name).display().to_string(),
    }
}

/// Shares one file or directory. If it should be moved and is shared but still at its place, also returns why.
async fn share_one(
    daemon: &Daemon,
    path: &Path,
    request: impl FnOnce(ResourceName) -> ShareRequest,
    args: &ShareArgs,
    output: &Output,
) -> Result<(Shared, Option<Error>), Error> {
    must_not_be_ours(path, daemon)?;
    let moves = args.moves;
    if path.is_dir() {
        let shared = share_tree(daemon, path, request, args.tree.options(), moves, output).await;
        return shared.map(|shared| (shared, None));
    }
    let name = files::name_of(path)?;
    let (file, metadata) = files::open_regular(path)?;
    let (device, inode) = (daemon.info.folder_device, daemon.info.folder_inode);
    let is_there = files::is_folder(files::parent(path), device, inode);
    let request = request(name);
    if is_there {
        let shared = share_in_place(daemon, request, output).await; // it is not moved
        return shared.map(|shared| (shared, None));
    }
    let source = if moves { Some(Source::new(path, &metadata)?) } else { None };
    let renamed = source.as_ref().map(|source| source.rename(&file, &request.name, &daemon.info));
    if let Some(renamed) = renamed.transpose()?.flatten() {
        let shared = share_in_place(daemon, request, output).await;
        return shared.map(|shared| (shared, None)).map_err(|error| renamed.undo_after(error));
    }
    let (shared, sent) = share_copy(daemon, path, (file, metadata.len()), request, moves, output).await?;
    let kept = source.and_then(|source| source.delete(&shared, sent).err());
    Ok((shared, kept))
}

/// Refuses ttd's own files.
fn must_not_be_ours(path: &Path, daemon: &Daemon) -> Result<(), Error> {
    let (device, inode) = (daemon.info.folder_device, daemon.info.folder_inode);
    let real = path.canonicalize();
    let mut above = real.iter().flat_map(|path| path.ancestors());
    let is_ours = |folder: &Path| {
        folder.file_name().is_some_and(|name| name == ".tinytorrent")
            && files::is_folder(files::parent(folder), device, inode)
    };
    match above.any(is_ours) {
        true => Err(Error::refused(format!("{} is one of ttd's own files", path.display()))),
        false => Ok(()),
    }
}

/// Shares a copy of a file from another directory. Returns the hash of the bytes if they were sent and `hashed`.
async fn share_copy(
    daemon: &Daemon,
    path: &Path,
    (file, bytes): (File, u64),
    request: ShareRequest,
    hashed: bool,
    output: &Output,
) -> Result<(Shared, Option<ResourceId>), Error> {
    if let Some(cloned) = clone_in(&file, &request.name, &daemon.info) {
        let shared = share_in_place(daemon, request, output).await;
        return shared.map(|shared| (shared, None)).inspect_err(|error| cloned.undo_after(error));
    }
    let label = request.name.to_string();
    let data_bytes = sparse::bytes_with_data(&file, bytes, PART_BYTES_MAX as u64)
        .map_err(|error| unreadable(path, &error))?;
    let request = ShareRequest { bytes, data_bytes, ..request };
    let task = daemon.caller.import(request, CALL_TIMEOUT).await??;
    let mut hash = hashed.then(Sha256::new);
    if let Err(error) =
        send(daemon, task, path, (file, bytes), &mut hash, Progress::new(output, &label)).await
    {
        tasks::cancel_import(daemon, task).await;
        return Err(error);
    }
    let sent = hash.map(|hash| ResourceId(hash.finalize().into()));
    Ok((wait(daemon, task, output, &label).await?, sent))
}

async fn share_in_place(daemon: &Daemon, request: ShareRequest, output: &Output) -> Result<Shared, Error> {
    let label = request.name.to_string();
    let task = daemon.caller.share(request, CALL_TIMEOUT).await??;
    wait(daemon, task, output, &label).await
}

async fn wait(daemon: &Daemon, task: TaskId, output: &Output, label: &str) -> Result<Shared, Error> {
    tasks::shared(daemon, task, Progress::new(output, label)).await
}

/// The next bytes of a file.
enum Part {
    Data(Bytes),
    /// This number of zeros: a hole.
    Zeros(u64),
}

/// Sends a file's bytes in order, and of its holes only their length. The next part is read while the daemon writes the
/// last one.
async fn send(
    daemon: &Daemon,
    task: TaskId,
    path: &Path,
    (file, bytes_total): (File, u64),
    hash: &mut Option<Sha256>,
    mut progress: Progress,
) -> Result<(), Error> {
    let mut bytes_done = 0;
    let holes = Holes::of(&file, bytes_total);
    let mut source = (file, holes);
    let mut next;
    (source, next) = read(source, 0, bytes_total, path).await?;
    while bytes_done < bytes_total {
        let part = next;
        bytes_done += part.bytes();
        if let Some(hash) = hash {
            part.add_to(hash);
        }
        let sent = send_part(daemon, task, part);
        let (answer, read) = tokio::join!(sent, read(source, bytes_done, bytes_total, path));
        answer?;
        (source, next) = read?;
        progress.update(&Now { bytes_done, bytes_total, doing: "importing", ..Now::default() });
    }
    daemon.caller.import_end(task, CALL_TIMEOUT).await??;
    Ok(())
}

async fn send_part(daemon: &Daemon, task: TaskId, part: Part) -> Result<(), Error> {
    match part {
        Part::Data(bytes) => daemon.caller.import_part(task, bytes.into(), PART_TIMEOUT).await??,
        Part::Zeros(bytes) => daemon.caller.import_zeros(task, bytes, PART_TIMEOUT).await??,
    }
    Ok(())
}

impl Part {
    fn bytes(&self) -> u64 {
        match self {
            Part::Data(bytes) => bytes.len() as u64,
            Part::Zeros(bytes) => *bytes,
        }
    }

    fn add_to(&self, hash: &mut Sha256) {
        match self {
            Part::Data(bytes) => hash.update(bytes),
            Part::Zeros(bytes) => {
                let mut left = *bytes;
                while left > 0 {
                    let step = left.min(ZEROS.len() as u64);
                    hash.update(&ZEROS[..step as usize]);
                    left -= step;
                }
            }
        }
    }
}

/// Reads the part at `offset`. It is empty at the end of the file. It is an error if the file has become shorter.
async fn read(
    (file, holes): (File, Holes),
    offset: u64,
    bytes_total: u64,
    path: &Path,
) -> Result<((File, Holes), Part), Error> {
    let (source, result) = tokio::task::spawn_blocking(move || {
        let result = read_part(&file, &holes, offset, bytes_total);
        ((file, holes), result)
    })
    .await
    .map_err(|error| Error::internal(format!("cannot read {}: {error}", path.display())))?;
    result.map(|part| (source, part)).map_err(|error| unreadable(path, &error))
}

fn read_part(file: &File, holes: &Holes, offset: u64, bytes_total: u64) -> io::Result<Part> {
    let left = bytes_total - offset;
    let hole = holes.bytes_from(file, offset).min(left).min(ZEROS_BYTES_MAX);
    // Only the last part may be shorter than a chunk.
    let zeros = if hole == left { hole } else { hole - hole % PART_BYTES_MAX as u64 };
    if zeros > 0 {
        return Ok(Part::Zeros(zeros));
    }
    let mut part = vec![0; left.min(PART_BYTES_MAX as u64) as usize];
    file.read_exact_at(&mut part, offset)?;
    Ok(Part::Data(part.into()))
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    if error.kind() != io::ErrorKind::UnexpectedEof {
        return Error::io(format!("cannot read {}", path.display()), error);
    }
    let message = format!("{} was truncated while it was being read", path.display());
    Error::bad_data(message).hint("share it again when it no longer changes")
}
