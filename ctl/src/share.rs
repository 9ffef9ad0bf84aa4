//! `ttctl share`: shares files. A file in the shared directory is shared where it is. Any other is cloned, if the file
//! system can do that, or else its bytes are sent to ttd. With --move it is renamed, or deleted after its copy is
//! shared.

use crate::cli::{Global, ShareArgs};
use crate::clone::clone_in;
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, Share, Shares};
use crate::each::Failures;
use crate::error::{Error, Kind};
use crate::files;
use crate::move_in::Source;
use crate::output::Output;
use crate::progress::{Now, Progress};
use crate::tasks::{self, Ended};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use shared::host::environment;
use shared::id::ResourceId;
use shared::name::ResourceName;
use shared::rpc::control::{PART_BYTES_MAX, ShareRequest, Shared, TaskId};
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// How long the daemon may take to write one part: its disk may be slow or busy. Beyond it the command fails with exit
/// code 5.
const PART_TIMEOUT: Duration = Duration::from_secs(120);

pub(crate) async fn share(args: &ShareArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let trackers = environment::trackers(&args.trackers).map_err(|error| Error::usage(error.to_string()))?;
    let daemon = Daemon::connect(global).await?;
    if trackers.is_empty() && daemon.info.trackers.is_empty() {
        return Err(Error::usage("no tracker is named and none is configured")
            .hint("use --tracker tt://HOST, or set `trackers` in ttd.toml"));
    }
    let mut done = Vec::new();
    let mut failures = Failures::default();
    let mut warned = BTreeSet::new(); // a warning that concerns all files is printed once
    for path in &args.paths {
        let request =
            |name| ShareRequest { name, trackers: trackers.clone(), replace: args.replace, bytes: 0 };
        match share_one(&daemon, path, request, args.moves, output).await {
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
                done.push(shared);
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
        let shared = done.iter().map(document).collect();
        output.json(&Document::new(Shares { shared, errors: failures.take() }))?;
    }
    failures.end()
}

/// The error when a file is shared but cannot be found by its name.
fn not_found(shared: &Shared, why: &str) -> Error {
    let name = &shared.name;
    Error::refused(format!("{name} is shared, but new machines cannot find it by name: {why}"))
        .hint(format!("see `ttctl status {name}`"))
}

fn document(shared: &Shared) -> Share {
    Share {
        name: shared.name.to_string(),
        resource: shared.resource.to_string(),
        manifest: shared.manifest.display().to_string(),
        warnings: shared.warnings.clone(),
        refused: shared.refused.clone(),
    }
}

/// Shares one file. If it should be moved and is shared but still at its place, also returns why.
async fn share_one(
    daemon: &Daemon,
    path: &Path,
    request: impl FnOnce(ResourceName) -> ShareRequest,
    moves: bool,
    output: &Output,
) -> Result<(Shared, Option<Error>), Error> {
    let name = files::name_of(path)?;
    let (file, metadata) = files::open_regular(path)?;
    let (device, inode) = (daemon.info.folder_device, daemon.info.folder_inode);
    let real = files::parent(path).canonicalize();
    let mut above = real.iter().flat_map(|folder| folder.ancestors());
    let is_ours = |folder: &Path| {
        folder.file_name().is_some_and(|name| name == ".tinytorrent")
            && files::is_folder(files::parent(folder), device, inode)
    };
    if above.any(is_ours) {
        return Err(Error::refused(format!("{} is one of ttd's own files", path.display())));
    }
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
    let request = ShareRequest { bytes, ..request };
    let task = daemon.caller.import(request, CALL_TIMEOUT).await??;
    let mut hash = hashed.then(Sha256::new);
    send(daemon, task, path, (file, bytes), &mut hash, Progress::new(output, &label)).await?;
    let sent = hash.map(|hash| ResourceId(hash.finalize().into()));
    Ok((wait(daemon, task, output, &label).await?, sent))
}

async fn share_in_place(daemon: &Daemon, request: ShareRequest, output: &Output) -> Result<Shared, Error> {
    let label = request.name.to_string();
    let task = daemon.caller.share(request, CALL_TIMEOUT).await??;
    wait(daemon, task, output, &label).await
}

async fn wait(daemon: &Daemon, task: TaskId, output: &Output, label: &str) -> Result<Shared, Error> {
    match tasks::wait(daemon, task, Progress::new(output, label)).await? {
        Ended::Shared(shared) => Ok(shared),
        ended => Err(tasks::unexpected(&ended)),
    }
}

/// Sends a file's bytes in order. The next part is read while the daemon writes the last one.
async fn send(
    daemon: &Daemon,
    task: TaskId,
    path: &Path,
    (mut file, bytes_total): (File, u64),
    hash: &mut Option<Sha256>,
    mut progress: Progress,
) -> Result<(), Error> {
    let mut bytes_done = 0;
    let mut next;
    (file, next) = read(file, 0, bytes_total, path).await?;
    while bytes_done < bytes_total {
        let part = next;
        if let Some(hash) = hash {
            hash.update(&part);
        }
        bytes_done += part.len() as u64;
        let sent = daemon.caller.import_part(task, part.into(), PART_TIMEOUT);
        let (answer, read) = tokio::join!(sent, read(file, bytes_done, bytes_total, path));
        answer??;
        (file, next) = read?;
        progress.update(&Now { bytes_done, bytes_total, doing: "importing", ..Now::default() });
    }
    daemon.caller.import_end(task, CALL_TIMEOUT).await??;
    Ok(())
}

/// Reads the part at `offset`. It is empty at the end of the file. It is an error if the file has become shorter.
async fn read(file: File, offset: u64, bytes_total: u64, path: &Path) -> Result<(File, Bytes), Error> {
    let bytes = (bytes_total - offset).min(PART_BYTES_MAX as u64) as usize;
    let (file, result) = tokio::task::spawn_blocking(move || {
        let mut part = vec![0; bytes];
        let result = file.read_exact_at(&mut part, offset).map(|()| Bytes::from(part));
        (file, result)
    })
    .await
    .map_err(|error| Error::internal(format!("cannot read {}: {error}", path.display())))?;
    match result {
        Ok(part) => Ok((file, part)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            let message = format!("{} was truncated while it was being read", path.display());
            Err(Error::bad_data(message).hint("share it again when it no longer changes"))
        }
        Err(error) => Err(Error::io(format!("cannot read {}", path.display()), &error)),
    }
}
