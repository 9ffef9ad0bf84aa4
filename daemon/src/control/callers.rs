//! The callers at the control socket, and how much each user may have at once.

use super::crowd::{CallerCrowd, CallerId};
use super::quota::Quota;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tarpc::context::Context as CallContext;
use tarpc::server::Serve;
use tarpc::{RequestName, ServerError};
use tokio::sync::{Notify, Semaphore};

/// How many callers may be connected at once. A further one replaces a caller of the user who has most; see
/// [`CallerCrowd`]. Each costs a descriptor and some memory.
const CALLERS_MAX: usize = 256;
/// How many more callers may wait for a place; further ones are sent away. Only callers of a user who already has most
/// places wait.
const WAITING_MAX: usize = 64;
/// How long a caller waits for a place before it is sent away. Commands usually end sooner and leave their places.
const PLACE_WITHIN: Duration = Duration::from_secs(30);
/// How many imports a user may have open, over all connections; a further one is refused. Each keeps a file and a task
/// open.
const IMPORTS_EACH_MAX: usize = 64;
/// The same for directories. Each keeps its listing in memory, 250 MB for a million entries.
const TREE_IMPORTS_EACH_MAX: usize = 4;
/// How many manifests a user may be sending at once; a further one is refused. They are in memory until they are
/// complete.
const MANIFESTS_EACH_MAX: usize = 8;
/// How many chunks may be read for a user at once, over all connections; further ones wait. They are in memory until they
/// are sent. Of one command, 4 are enough for the disk and the caller to work at the same time.
const READS_EACH_MAX: usize = 16;

/// The places of all callers, and the quotas of their users.
#[derive(Debug)]
pub struct Callers {
    crowd: Mutex<CallerCrowd<Arc<Notify>>>,
    /// Wakes those who wait when a caller has left or has no open call any more.
    left: Notify,
    waiting: Arc<Semaphore>,
    /// The imports of each user.
    pub imports: Arc<Quota>,
    /// The imports of directories of each user.
    pub tree_imports: Arc<Quota>,
    /// The manifests that each user is sending.
    pub manifests: Arc<Quota>,
    /// The chunks that are read for each user.
    pub reads: Arc<Quota>,
}

impl Callers {
    /// Nobody is connected.
    pub fn new() -> Arc<Callers> {
        Arc::new(Callers {
            crowd: Mutex::new(CallerCrowd::new(CALLERS_MAX)),
            left: Notify::new(),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            imports: Quota::new(IMPORTS_EACH_MAX),
            tree_imports: Quota::new(TREE_IMPORTS_EACH_MAX),
            manifests: Quota::new(MANIFESTS_EACH_MAX),
            reads: Quota::new(READS_EACH_MAX),
        })
    }

    fn crowd(&self) -> MutexGuard<'_, CallerCrowd<Arc<Notify>>> {
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a caller a place, and the signal that ends its connection when another caller takes the place; `None` when
    /// no place is free for this user.
    pub fn admit(self: &Arc<Callers>, uid: u32) -> Option<(Arc<CallerPlace>, Arc<Notify>)> {
        let end = Arc::new(Notify::new());
        let (id, gone) = self.crowd().admit(uid, end.clone()).ok()?;
        if let Some(gone) = gone {
            tracing::debug!(uid, "there are {CALLERS_MAX} callers: one makes room for another");
            gone.notify_one();
        }
        Some((Arc::new(CallerPlace { callers: self.clone(), id }), end))
    }

    /// Like [`admit`](Callers::admit), but waits up to [`PLACE_WITHIN`] for a place; `None` also when [`WAITING_MAX`]
    /// wait already.
    pub async fn wait_for_place(self: &Arc<Callers>, uid: u32) -> Option<(Arc<CallerPlace>, Arc<Notify>)> {
        let _permit = self.waiting.clone().try_acquire_owned().ok()?;
        let admitted = async {
            loop {
                let left = self.left.notified();
                if let Some(admitted) = self.admit(uid) {
                    return admitted;
                }
                left.await;
            }
        };
        tokio::time::timeout(PLACE_WITHIN, admitted).await.ok()
    }
}

/// The place of a connected caller; dropping it frees the place.
#[derive(Debug)]
pub struct CallerPlace {
    /// All callers.
    pub callers: Arc<Callers>,
    id: CallerId,
}

impl CallerPlace {
    /// Counts a call as open until the result is dropped.
    fn call(self: &Arc<CallerPlace>) -> Call {
        self.callers.crowd().call_begins(self.id);
        Call(self.clone())
    }
}

impl Drop for CallerPlace {
    fn drop(&mut self) {
        self.callers.crowd().leave(self.id);
        self.callers.left.notify_one();
    }
}

struct Call(Arc<CallerPlace>);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.callers.crowd().call_ends(self.0.id);
        self.0.callers.left.notify_one(); // this caller may now lose its place to one who waits
    }
}

/// A service that counts its open calls.
#[derive(Clone)]
pub struct Counted<S> {
    /// The service.
    pub service: S,
    /// The place of its caller.
    pub place: Arc<CallerPlace>,
}

impl<S: Serve<Req: RequestName>> Serve for Counted<S> {
    type Req = S::Req;
    type Resp = S::Resp;

    async fn serve(self, context: CallContext, request: S::Req) -> Result<S::Resp, ServerError> {
        let _call = self.place.call();
        self.service.serve(context, request).await
    }
}
