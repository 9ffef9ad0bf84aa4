//! The bytes of a complete resource as ttd reads them: the tar of a directory, which is on no disk, and files that the
//! caller may not read.

use crate::connect::PART_TIMEOUT;
use crate::error::{Error, Kind};
use crate::link::Link;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use shared::chunk::ChunkIndex;
use shared::rpc::control::Accepted;
use tokio::sync::{mpsc, oneshot};

/// Limits the chunks of 1 MiB that are asked for ahead, and those that wait to be taken: with 4 of each, ttd reads while
/// the caller writes. When there are more, reading waits.
const AHEAD_MAX: usize = 4;

/// What happens to the thread that takes the chunks after ^C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterInterrupt {
    /// It is waited for, and undoes what it did.
    Wait,
    /// It is left alone: it may hang in a write to whoever reads our output.
    Leave,
}

/// The chunks, in order.
pub(crate) struct Chunks {
    parts: mpsc::Receiver<Result<Bytes, Error>>,
    /// How many are missing.
    left: u32,
}

impl Chunks {
    /// The next one; `None` after the last one. Blocks.
    ///
    /// # Errors
    /// When ttd cannot read it, or after ^C.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        let interrupted = || Error::new(Kind::Interrupted, "interrupted");
        let chunk = self.parts.blocking_recv().ok_or_else(interrupted)??;
        self.left -= 1;
        Ok(Some(chunk))
    }
}

/// Has `take` take the chunks of a complete resource, in a thread of its own.
pub(crate) async fn read<T: Send + 'static>(
    link: &Link<'_>,
    accepted: &Accepted,
    after_interrupt: AfterInterrupt,
    take: impl FnOnce(Chunks) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (sender, parts) = mpsc::channel(AHEAD_MAX);
    let (done, taken) = oneshot::channel();
    let (count, resource) = (accepted.count.get(), accepted.resource);
    std::thread::spawn(move || {
        let _ = done.send(take(Chunks { parts, left: count })); // after ^C nobody may receive it
    });
    let feed = async move {
        let ask = |index| async move {
            link.call(async |daemon| {
                Ok(daemon.caller.read(resource, ChunkIndex(index), PART_TIMEOUT).await??.bytes)
            })
            .await
        };
        let mut chunks = stream::iter(0..count).map(ask).buffered(AHEAD_MAX);
        while let Some(chunk) = chunks.next().await {
            let is_last = chunk.is_err();
            if sender.send(chunk).await.is_err() || is_last {
                return; // the other side has given up, or knows why it must
            }
        }
    };
    let panicked = |_| Err(Error::internal("copying failed"));
    let mut taken = taken;
    tokio::select! {
        taken = async { feed.await; (&mut taken).await } => taken.unwrap_or_else(panicked),
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.map_err(|error| Error::io("cannot listen for ^C", &error))?;
            if after_interrupt == AfterInterrupt::Wait {
                // It may have been done already.
                return taken.await.unwrap_or_else(panicked);
            }
            Err(Error::new(Kind::Interrupted, "interrupted"))
        }
    }
}
