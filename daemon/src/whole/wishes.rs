//! What users have the machines of a world do, and what they may expect from then on.

use super::caller::Caller;
use super::content::Content;
use super::machine::Machine;
use super::world::World;
use crate::inbox::ToShare;
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, ErrorKind, State, TaskId, TaskState};
use shared::wanted::WantedBy;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// What a user may expect of a machine: that it has this content under its name, and serves it.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// The machine's number.
    pub(crate) machine: u8,
    /// The content.
    pub(crate) content: Rc<Content>,
    /// Whether it was shared there; otherwise it is fetched.
    pub(crate) is_shared: bool,
    /// Whether a user paused it.
    pub(crate) is_paused: bool,
    /// Since when it is wanted.
    pub(crate) since: Instant,
}

impl Wish {
    fn is(&self, machine: &Machine, name: &str) -> bool {
        self.machine == machine.number && self.content.name().as_str() == name
    }
}

/// How many commands about one name users have given one machine.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Commands {
    begun: u64,
    /// Whether one of them was to pause or to resume it. That is durable only when the file system's journal has been
    /// written, and a later command to fetch it again does not write it.
    was_paused: bool,
    ended: u64,
}

/// A command that runs.
struct Command<'a> {
    world: &'a World,
    of: (u8, String),
    /// How many had begun with it.
    number: u64,
    /// Whether no other one ran when it began.
    began_alone: bool,
}

impl Command<'_> {
    /// Whether no other command about this name ran at any time while this one did. Otherwise nobody knows in which
    /// order the daemon has done them.
    fn is_alone(&self) -> bool {
        let commands = self.world.commands.borrow().get(&self.of).copied().unwrap_or_default();
        self.began_alone && commands.begun == self.number
    }
}

impl Drop for Command<'_> {
    fn drop(&mut self) {
        self.world.commands.borrow_mut().entry(self.of.clone()).or_default().ended += 1;
    }
}

/// The user of a world.
fn user() -> WantedBy {
    WantedBy::User { uid: 1000, name: None }
}

/// The answer for a machine that does not run.
fn down() -> ControlError {
    ControlError { kind: ErrorKind::Stopping, message: "the machine is down".to_owned(), hint: None }
}

impl World {
    /// Writes the file into the machine's shared directory and shares it. Returns when it is shared.
    ///
    /// # Errors
    /// When the machine is down or dies, or refuses it.
    pub(crate) async fn share(&self, machine: &Machine, content: &Rc<Content>) -> Result<(), ControlError> {
        let requests = machine.requests().ok_or_else(down)?;
        let name = content.name().clone();
        let command = self.command(machine, name.as_str());
        self.give_up(machine, name.as_str()); // whatever had the name is replaced by hand
        self.allow(&name, content.manifest.resource());
        machine.put_file(name.as_str(), &content.bytes);
        self.note(format_args!("m{} shares {name}", machine.number));
        let trackers = content.manifest.trackers().to_vec();
        let (bytes, data_bytes, tree, lost, by) = (0, 0, None, Vec::new(), user());
        let replace = true;
        let request =
            ToShare { name, trackers, replace, bytes, data_bytes, tree, lost, by, to_be_signed: false };
        let task = requests.share(request).await?;
        loop {
            match requests.task(task, Duration::from_secs(10)).await? {
                TaskState::Running { .. } => {}
                TaskState::Failed(error) => return Err(error),
                _ => break,
            }
        }
        self.wish(machine, content, true);
        self.forget_unless_alone(&command, machine, content.name().as_str());
        Ok(())
    }

    /// A program sends the file to the machine, which shares it. The program may lose its connection after a time, or
    /// cancel after some parts.
    ///
    /// # Errors
    /// When the machine is down or dies, or refuses it, and when the connection is lost.
    pub(crate) async fn import(
        &self,
        machine: &Machine,
        content: &Rc<Content>,
        lost_after: Option<Duration>,
        cancel_after: Option<usize>,
    ) -> Result<(), ControlError> {
        let name = content.name();
        let command = self.command(machine, name.as_str());
        self.allow(name, content.manifest.resource());
        self.note(format_args!("m{} imports {name}, {lost_after:?} {cancel_after:?}", machine.number));
        let caller = Caller::connect(machine).await?;
        let sending = caller.import(content, cancel_after);
        match lost_after {
            None => sending.await?,
            Some(span) => timeout(span, sending).await.map_err(|_| down())??,
        }
        if cancel_after.is_none() {
            self.wish(machine, content, true);
            self.forget_unless_alone(&command, machine, name.as_str());
        }
        Ok(())
    }

    /// Has the machine fetch the file, by its manifest.
    ///
    /// # Errors
    /// When the machine is down or dies, or refuses it.
    pub(crate) async fn get(&self, machine: &Machine, content: &Rc<Content>) -> Result<(), ControlError> {
        self.get_in_place_of(machine, content, false).await
    }

    /// The same; it replaces other content of its name.
    ///
    /// # Errors
    /// As [`get`](World::get).
    pub(crate) async fn replace(&self, machine: &Machine, content: &Rc<Content>) -> Result<(), ControlError> {
        self.get_in_place_of(machine, content, true).await
    }

    async fn get_in_place_of(
        &self,
        machine: &Machine,
        content: &Rc<Content>,
        replace: bool,
    ) -> Result<(), ControlError> {
        let command = self.command(machine, content.name().as_str());
        self.allow(content.name(), content.manifest.resource());
        self.note(format_args!("m{} gets {}", machine.number, content.name()));
        let life = machine.life();
        let getting = async { Caller::connect(machine).await?.get_known(content, replace).await };
        if let Err(error) = getting.await {
            if machine.life() != life {
                self.give_up(machine, content.name().as_str()); // nobody knows whether it had begun
            }
            return Err(error);
        }
        self.wish_of(&command, machine, content);
        Ok(())
    }

    /// Has the machine fetch what the name of this content means at the trackers now: this content, or a newer one. It
    /// replaces other content of its name.
    ///
    /// # Errors
    /// As [`get`](World::get); also when no tracker knows the name.
    pub(crate) async fn get_named(
        &self,
        machine: &Machine,
        content: &Rc<Content>,
    ) -> Result<(), ControlError> {
        let command = self.command(machine, content.name().as_str());
        self.note(format_args!("m{} gets {} by name", machine.number, content.name()));
        let accepted = Caller::connect(machine).await?.get_named(content, true).await?;
        let meant = self.contents().into_iter().find(|content| content.is(&accepted));
        self.wish_of(&command, machine, &meant.expect("trackers know only what was shared"));
        Ok(())
    }

    /// Pauses a name.
    ///
    /// # Errors
    /// When the machine is down or dies, or does not know the name.
    pub(crate) async fn pause(&self, machine: &Machine, name: &str) -> Result<(), ControlError> {
        let requests = machine.requests().ok_or_else(down)?;
        let command = self.command(machine, name);
        self.note(format_args!("m{} pauses {name}", machine.number));
        self.note_pause(machine, name);
        self.set_paused(machine, name, true); // it may die before it answers
        let paused = requests.pause(name.to_owned()).await.map(drop);
        self.forget_unless_alone(&command, machine, name);
        paused
    }

    /// Resumes a name.
    ///
    /// # Errors
    /// As [`pause`](World::pause).
    pub(crate) async fn resume(&self, machine: &Machine, name: &str) -> Result<(), ControlError> {
        let requests = machine.requests().ok_or_else(down)?;
        let command = self.command(machine, name);
        self.note(format_args!("m{} resumes {name}", machine.number));
        self.note_pause(machine, name);
        requests.resume(name.to_owned()).await?;
        self.set_paused(machine, name, false);
        self.forget_unless_alone(&command, machine, name);
        Ok(())
    }

    /// Removes a name; its file too with `delete`.
    ///
    /// # Errors
    /// As [`pause`](World::pause).
    pub(crate) async fn remove(
        &self,
        machine: &Machine,
        name: &str,
        delete: bool,
    ) -> Result<Vec<ResourceName>, ControlError> {
        let requests = machine.requests().ok_or_else(down)?;
        let command = self.command(machine, name);
        self.note(format_args!("m{} removes {name}", machine.number));
        self.give_up(machine, name);
        let removed = requests.remove(name.to_owned(), delete, user()).await;
        self.forget_unless_alone(&command, machine, name);
        removed
    }

    /// Has a name hashed again, without waiting for the result.
    ///
    /// # Errors
    /// As [`pause`](World::pause).
    pub(crate) async fn verify(&self, machine: &Machine, name: &str) -> Result<TaskId, ControlError> {
        let requests = machine.requests().ok_or_else(down)?;
        self.note(format_args!("m{} verifies {name}", machine.number));
        requests.verify(name.to_owned(), user()).await
    }

    /// Takes a name that was shared there back from the trackers.
    ///
    /// # Errors
    /// As [`pause`](World::pause).
    pub(crate) async fn unpublish(&self, machine: &Machine, name: &str) -> Result<(), ControlError> {
        let requests = machine.requests().ok_or_else(down)?;
        self.note(format_args!("m{} unpublishes {name}", machine.number));
        requests.unpublish(name.to_owned(), user()).await.map(drop)
    }

    /// What users may expect, in the order in which they began to.
    pub(crate) fn wishes(&self) -> Vec<Wish> {
        self.wishes.borrow().clone()
    }

    /// Nobody expects this any more: for a scenario that spoils something.
    pub(crate) fn give_up(&self, machine: &Machine, name: &str) {
        self.wishes.borrow_mut().retain(|wish| !wish.is(machine, name));
    }

    /// Expects nothing of what was paused or resumed at a machine that loses power.
    pub(super) fn forget_pauses(&self, machine: &Machine) {
        let commands = self.commands.borrow();
        let of =
            |wish: &Wish| commands.get(&(wish.machine, wish.content.name().as_str().to_owned())).copied();
        let was_paused = |wish: &Wish| of(wish).is_some_and(|commands| commands.was_paused);
        self.wishes.borrow_mut().retain(|wish| wish.machine != machine.number || !was_paused(wish));
    }

    /// A user pauses or resumes a name.
    fn note_pause(&self, machine: &Machine, name: &str) {
        let mut all = self.commands.borrow_mut();
        all.entry((machine.number, name.to_owned())).or_default().was_paused = true;
    }

    /// Expects nothing of what a machine was asked for since then.
    pub(super) fn forget_since(&self, machine: &Machine, since: Instant) {
        self.wishes.borrow_mut().retain(|wish| wish.machine != machine.number || wish.since < since);
    }

    /// Whether the machine has what is expected of it, as far as its last look says.
    pub(crate) fn is_fulfilled(&self, wish: &Wish) -> bool {
        let facts = self.machine(wish.machine).facts(self);
        let resources = facts.iter().flat_map(|facts| &facts.resources);
        let mut of_it =
            resources.filter(|resource| resource.key == wish.content.key() && resource.is_seeding);
        of_it.any(|resource| {
            let is_good = |state| matches!(state, State::Seeding | State::Outdated);
            resource.names.iter().any(|(name, state, _)| name == wish.content.name() && is_good(*state))
        })
    }

    /// A user begins a command about a name.
    fn command(&self, machine: &Machine, name: &str) -> Command<'_> {
        let of = (machine.number, name.to_owned());
        let mut all = self.commands.borrow_mut();
        let commands = all.entry(of.clone()).or_default();
        let began_alone = commands.begun == commands.ended;
        commands.begun += 1;
        Command { world: self, of, number: commands.begun, began_alone }
    }

    fn wish_of(&self, command: &Command<'_>, machine: &Machine, content: &Rc<Content>) {
        self.wish(machine, content, false);
        self.forget_unless_alone(command, machine, content.name().as_str());
    }

    /// Expects nothing of a name if commands about it ran at the same time.
    fn forget_unless_alone(&self, command: &Command<'_>, machine: &Machine, name: &str) {
        if !command.is_alone() {
            self.give_up(machine, name);
        }
    }

    fn wish(&self, machine: &Machine, content: &Rc<Content>, is_shared: bool) {
        self.give_up(machine, content.name().as_str());
        let (machine, content, since) = (machine.number, content.clone(), Instant::now());
        self.wishes.borrow_mut().push(Wish { machine, content, is_shared, is_paused: false, since });
    }

    fn set_paused(&self, machine: &Machine, name: &str, is_paused: bool) {
        for wish in self.wishes.borrow_mut().iter_mut().filter(|wish| wish.is(machine, name)) {
            (wish.is_paused, wish.since) = (is_paused, Instant::now());
        }
    }
}
