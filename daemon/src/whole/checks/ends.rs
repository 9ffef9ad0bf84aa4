//! Everything that users asked for ends, or the reason that the daemon names for it is true. After calm nothing holds
//! anybody up, so a reason that stays must be one that no machine of the world can change.

use super::all::Check;
use crate::driver::tap::{Facts, ResourceFacts};
use crate::library::Why;
use crate::whole::content::Content;
use crate::whole::machine::Machine;
use crate::whole::wishes::Wish;
use crate::whole::world::World;
use shared::have::HaveMap;
use shared::id::{ResourceId, SwarmKey};
use shared::name::ResourceName;
use shared::swarm::{DropReason, PeerAddr, Waiting};
use std::collections::BTreeMap;
use std::fs;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a peer may be without what a linked one has: several times what news and their answers take.
const NEWS_WITHIN: Duration = Duration::from_secs(30);

/// How long a machine may be without a peer that has something: the time between two announces, and the time for which
/// one that refused is not dialed.
const FOUND_WITHIN: Duration = Duration::from_secs(150);

/// How long a peer may be dropped as stalled after the last fault between both machines: 600 s, and the time until that
/// is noticed and it is dialed again.
const FORGIVEN_WITHIN: Duration = Duration::from_secs(690);

/// How long nothing may arrive from machines that have it: longer than a connection lasts of which the other side is
/// gone.
const MOVES_WITHIN: Duration = Duration::from_secs(120);

/// How long work on a good disk may take, with the time until a daemon tries again what failed.
const WRITTEN_WITHIN: Duration = Duration::from_secs(60);

/// What looks wrong, and since when.
#[derive(Debug, Default)]
pub(super) struct Ends {
    doubts: BTreeMap<(u8, SwarmKey), (String, Instant)>,
}

/// A reason that may be untrue, or untrue only if it stays.
struct Doubt {
    /// What is wrong. It changes whenever there was progress.
    what: String,
    /// How long it may be so.
    within: Duration,
}

impl Check for Ends {
    fn look(&mut self, world: &World) {
        if world.calm_since().is_none() {
            return;
        }
        let machines = world.machines();
        let facts = machines.iter().filter_map(|machine| Some((machine.clone(), machine.facts(world)?)));
        let facts: Vec<(Rc<Machine>, Facts)> = facts.collect();
        let mut doubts = BTreeMap::new();
        for (machine, of_it) in &facts {
            for resource in of_it.resources.iter().filter(|resource| !resource.is_seeding) {
                let Some(Doubt { what, within }) = doubt(world, machine, of_it, resource, &facts) else {
                    continue;
                };
                let at = (machine.number, resource.key);
                let former = self.doubts.remove(&at).filter(|(former, _)| *former == what);
                let since = former.map_or_else(Instant::now, |(_, since)| since);
                let name = resource.names.first().map_or("?", |(name, ..)| name.as_str());
                let span = since.elapsed();
                assert!(span <= within, "for {span:?} m{} says of {name}: {what}", machine.number);
                doubts.insert(at, (what, since));
            }
        }
        self.doubts = doubts;
    }

    fn is_over(&self, world: &World) -> Result<(), String> {
        let open = world.wishes().into_iter().filter(|wish| !wish.is_paused && !world.is_fulfilled(wish));
        let open = open.filter(|wish| !is_excused(world, wish));
        let words: Vec<String> = open.map(|wish| open_words(world, &wish)).collect();
        if words.is_empty() { Ok(()) } else { Err(words.join("; ")) }
    }
}

/// What is missing of a wish, and what the machine says of that.
fn open_words(world: &World, wish: &Wish) -> String {
    let (number, name, span) = (wish.machine, wish.content.name(), wish.since.elapsed());
    let verb = if wish.is_shared { "shared" } else { "got" };
    let facts = world.machine(number).facts(world);
    let resource = facts.as_ref().and_then(|facts| facts.of(wish.content.key()));
    let said = match resource {
        None => format!("m{number} {verb} {name} {span:?} ago and knows nothing of it"),
        Some(ResourceFacts { phase, names, have, waiting, blocked, troubles, .. }) => format!(
            "m{number} {verb} {name} {span:?} ago and has {} of {} chunks, {phase}: {names:?} {waiting:?} {blocked:?} {troubles:?}",
            have.len(),
            have.count()
        ),
    };
    let machines = world.machines();
    let others = machines.iter().filter(|other| other.number != number).filter_map(|other| {
        let facts = other.facts(world)?;
        let ResourceFacts { phase, have, is_paused, .. } = facts.of(wish.content.key())?;
        Some(format!(" m{}: {}, {phase}, paused: {is_paused}", other.number, have.len()))
    });
    said + &others.collect::<String>()
}

/// Whether nobody can expect this any more, and the machine says why: all machines together do not have the content, or
/// another file has its name.
fn is_excused(world: &World, wish: &Wish) -> bool {
    let (key, machines) = (wish.content.key(), world.machines());
    let facts: Vec<Facts> = machines.iter().filter_map(|machine| machine.facts(world)).collect();
    let known = || facts.iter().filter_map(|facts| facts.of(key));
    let mut all = HaveMap::empty(wish.content.manifest.count());
    for resource in known().filter(|resource| serves(resource)) {
        resource.have.iter().for_each(|chunk| _ = all.insert(chunk));
    }
    let is_looked_at = known()
        .any(|resource| matches!(resource.phase, "checking" | "opening" | "accepted") && !resource.is_paused);
    if is_looked_at || facts.len() < machines.len() {
        return false;
    }
    let machine = world.machine(wish.machine);
    let own = machine.facts(world);
    let Some(own) = own.as_ref().and_then(|facts| facts.of(key)) else { return false };
    let mut troubles = own.blocked.iter().chain(own.troubles.iter().map(|(_, why)| why));
    let is_taken = |why: &Why| matches!(why, Why::NameTaken(name) if is_other(&machine, name, &wish.content));
    let has_reason = own.waiting.is_some() || own.phase == "failed";
    if all.is_full() { troubles.any(is_taken) } else { has_reason || troubles.next().is_some() }
}

/// Whether a machine has something else than this content under the name.
fn is_other(machine: &Machine, name: &ResourceName, content: &Content) -> bool {
    fs::read(machine.dir().join(name.as_str())).is_ok_and(|bytes| bytes != content.bytes)
}

/// Whether others can fetch its chunks here.
fn serves(resource: &ResourceFacts) -> bool {
    !resource.is_paused && (resource.is_seeding || resource.phase == "fetching")
}

/// What may be untrue of the reason that a machine names for a resource that is not complete.
fn doubt(
    world: &World,
    machine: &Machine,
    own: &Facts,
    resource: &ResourceFacts,
    all: &[(Rc<Machine>, Facts)],
) -> Option<Doubt> {
    if resource.is_paused || resource.phase == "failed" {
        return None;
    }
    if let Some(why) = &resource.blocked {
        return doubt_of_block(machine, resource.key, why);
    }
    let others = || all.iter().filter(|(other, _)| other.number != machine.number);
    let holders = || {
        let of_it = others().filter_map(|(other, facts)| Some((other, facts.of(resource.key)?)));
        of_it.filter(|(_, it)| serves(it) && !it.have.is_empty())
    };
    let has_needed = |it: &ResourceFacts| it.have.iter().any(|chunk| !resource.have.contains(chunk));
    let is_obtainable = holders().any(|(_, it)| has_needed(it));
    let (waiting, have) = (&resource.waiting, resource.have.len());
    let stays = format!("{}, with {have} chunks, {waiting:?}", resource.phase);
    let doubt = |what: &str, within| Some(Doubt { what: format!("{stays}: {what}"), within });
    match waiting {
        Some(Waiting::NoPeers { .. } | Waiting::Connecting { .. }) if is_obtainable => {
            doubt("others have chunks of it", FOUND_WITHIN)
        }
        Some(Waiting::NoSource { chunks, .. }) => {
            // A connection that is broken is a link until that is noticed.
            let is_linked = |other: &Machine| {
                own.links.contains(&PeerAddr::from(other.listen()))
                    && world.cables.connected_since(machine.ip, other.ip).is_some()
            };
            let linked = holders().filter(|(other, _)| is_linked(other));
            let liars = linked.filter(|(_, it)| chunks.iter().any(|chunk| it.have.contains(*chunk)));
            let names: Vec<String> = liars.map(|(other, _)| format!("m{}", other.number)).collect();
            if names.is_empty() {
                return None;
            }
            doubt(&format!("it is connected to {}, which has some of them", names.join(" ")), NEWS_WITHIN)
        }
        Some(Waiting::Dropped { peers }) => {
            world.may_end_late();
            let is_honest = peers.iter().any(|(_, why)| *why != DropReason::Stalled);
            let is_forgiven = peers.iter().any(|(peer, _)| {
                let quiet = world.cables.quiet_since(machine.ip, peer.ip());
                quiet.is_some_and(|since| since.elapsed() > FORGIVEN_WITHIN)
            });
            match is_honest || is_forgiven {
                true => doubt("nobody misbehaves", Duration::ZERO),
                false => None,
            }
        }
        Some(Waiting::OnlyCorrupt { .. })
            if all.iter().all(|(other, _)| other.disk_healed_at().is_none()) =>
        {
            doubt("no disk ever failed", Duration::ZERO)
        }
        Some(Waiting::Silent { .. } | Waiting::Busy { .. } | Waiting::Turn | Waiting::Zone)
            if is_obtainable =>
        {
            doubt("others have chunks of it", MOVES_WITHIN)
        }
        Some(Waiting::Disk { .. }) if !machine.is_slow() => doubt("its disk is not slow", WRITTEN_WITHIN),
        Some(Waiting::Withheld { .. }) => doubt("nothing is taken from older files", NEWS_WITHIN),
        None if is_obtainable && resource.troubles.is_empty() => doubt("nothing happens", FOUND_WITHIN),
        _ => None,
    }
}

/// What may be untrue of the reason for which a machine takes no part in a swarm.
fn doubt_of_block(machine: &Machine, key: SwarmKey, why: &Why) -> Option<Doubt> {
    let is_untrue = match why {
        Why::NoRoom(_) | Why::Disk(_) | Why::Silent { .. } => {
            machine.disk_fault().is_none() && !machine.is_slow()
        }
        // Its own file does not keep it from its name.
        Why::NameTaken(name) => {
            let lying = fs::read(machine.dir().join(name.as_str()));
            lying.map_or(true, |bytes| ResourceId::of(&bytes) == key.resource)
        }
        Why::NotHere(_) => true,
        _ => false,
    };
    is_untrue.then(|| Doubt { what: format!("it is blocked by {why:?}"), within: WRITTEN_WITHIN })
}

mod tests;
