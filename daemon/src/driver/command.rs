//! Hands each command to its function, and answers when the change is on disk.

use super::Driver;
use crate::inbox::{Command, Reply};
use crate::jobs;
use shared::rpc::control::ControlError;

impl Driver {
    pub(super) fn command(&mut self, command: Command) {
        let Some(command) = self.park(command) else { return };
        let able = self.must_answer();
        // The caller may have gone; then the answer is dropped.
        match command {
            Command::Share { request, reply } => {
                drop(reply.send(able.and_then(|()| self.share(request))));
            }
            Command::Import { request, reply } => {
                drop(reply.send(able.and_then(|()| self.import(&request))));
            }
            Command::ImportEnd { task, request, import, reply } => {
                drop(reply.send(self.import_end(task, &request, able, *import)));
            }
            Command::Task { task, reply } => drop(reply.send(self.find_task(task))),
            Command::Get { wanted, reply } => match able {
                Ok(()) => self.get(wanted, reply),
                Err(error) => drop(reply.send(Err(error))),
            },
            Command::FindLocally { what, manner, by, reply } => match able {
                Ok(()) => self.find_locally(&what, manner, by, reply),
                Err(error) => drop(reply.send(Err(error))),
            },
            Command::Manifest { what, reply } => {
                drop(reply.send(able.and_then(|()| self.manifest_named(&what))));
            }
            Command::Sign { manifest, signature, by, reply } => {
                drop(reply.send(able.and_then(|()| self.sign(&manifest, signature, &by))));
            }
            Command::Holding { name, reply } => {
                drop(reply.send(able.map(|()| self.holding(&name))));
            }
            Command::Complete { what, reply } => drop(reply.send(able.and_then(|()| self.complete(what)))),
            Command::Inspect { what, reply } => match able {
                Ok(()) => self.inspect(what, reply),
                Err(error) => drop(reply.send(Err(error))),
            },
            Command::Status { what, reply } => drop(reply.send(self.snapshot_for(what.as_deref()))),
            Command::Peers { what, reply } => drop(reply.send(self.peers(what.as_deref()))),
            Command::Overview { reply } => drop(reply.send(Ok(self.overview()))),
            Command::Pause { what, reply } => {
                let paused = able.and_then(|()| self.pause(&what));
                self.answer_change(reply, paused);
            }
            Command::Resume { what, reply } => {
                let resumed = able.and_then(|()| self.resume(&what));
                self.answer_change(reply, resumed);
            }
            Command::Remove { what, delete, by, reply } => {
                let removed = able.and_then(|()| self.remove(&what, delete, &by));
                self.answer_change(reply, removed);
            }
            Command::Foreign { what, reply } => match able {
                Ok(()) => self.foreign(&what, reply),
                Err(error) => drop(reply.send(Err(error))),
            },
            Command::Verify { what, by, reply } => {
                drop(reply.send(able.and_then(|()| self.verify(&what, &by))));
            }
            Command::Unpublish { what, by, reply } => match able {
                Ok(()) => self.unpublish(&what, &by, reply),
                Err(error) => drop(reply.send(Err(error))),
            },
        }
    }

    /// Answers when the change is on disk, or at once if there was none.
    pub(super) fn answer_change<T: Send + 'static>(&self, reply: Reply<T>, change: Result<T, ControlError>) {
        match change {
            Ok(_) => self.answer_when_saved(reply, change),
            Err(_) => drop(reply.send(change)),
        }
    }

    /// Answers when the change is on disk. Then a crash does not undo it, and a file that the caller puts under a
    /// removed name is not deleted.
    pub(super) fn answer_when_saved<T: Send + 'static>(
        &self,
        reply: Reply<T>,
        answer: Result<T, ControlError>,
    ) {
        let saved = self.saver.idle();
        jobs::spawn(async move {
            saved.await;
            let _ = reply.send(answer);
        });
    }
}
