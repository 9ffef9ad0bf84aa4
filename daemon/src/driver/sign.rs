//! Signatures of what is here: added by whoever shares it, or brought along by a later request for it.

use super::Driver;
use super::wanted::record_of;
use crate::inbox::{Wanted, internal};
use crate::store::{NameRecord, Signed};
use shared::id::SwarmKey;
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::rpc::control::{ControlError, ErrorKind, TaskId};
use shared::shell;
use shared::signature::SignatureText;
use shared::wanted::WantedBy;

impl Driver {
    /// The manifest of a name.
    ///
    /// # Errors
    /// When it is not known here.
    pub(super) fn manifest_named(&self, what: &str) -> Result<Manifest, ControlError> {
        let (name, key) = self.one(what)?;
        let resource = self.library.get(key).ok_or_else(|| internal(&"the resource is gone"))?;
        Ok(resource.manifest_of(&name))
    }

    /// Adds a signature to a name that is shared here, and publishes it.
    pub(super) fn sign(
        &mut self,
        manifest: &Manifest,
        signature: SignatureText,
        by: &WantedBy,
    ) -> Result<TaskId, ControlError> {
        let (name, key) = (manifest.name(), manifest.key());
        let known = self.library.get(key).filter(|known| record_of(known, name).is_some());
        if known.is_none_or(|known| known.manifest_of(name).trackers() != manifest.trackers()) {
            return Err(changed_meanwhile(name));
        }
        if !known.is_some_and(|known| known.record.origin) {
            return Err(not_ours(name));
        }
        let (task, _) = self.begin_task()?;
        let key_id = signature.key_id();
        self.put_signature(key, name, Signed::new(manifest, signature));
        let Some(resource) = self.library.get(key) else { return Err(internal(&"the resource is gone")) };
        let saved = self.shelve(resource, true);
        tracing::info!(%name, id = %key, user = %by, "signed by the key {key_id}");
        self.announce(key);
        self.changed();
        self.tell_trackers(task, key, name, saved, Vec::new());
        Ok(task)
    }

    /// Takes the signature that a request for a name brings along, if it is newer than that which is here.
    pub(super) fn take_signature(&mut self, key: SwarmKey, wanted: &Wanted) {
        let (name, Some(signed)) = (wanted.manifest.name(), wanted.signed()) else { return };
        let Some(resource) = self.library.get(key) else { return };
        let is_newer = |record: &NameRecord| {
            record.signed.as_ref().is_none_or(|known| {
                *known != signed && known.signature.timestamp() <= signed.signature.timestamp()
            })
        };
        // What is shared here is signed here.
        if resource.record.origin || !record_of(resource, name).is_some_and(is_newer) {
            return;
        }
        tracing::info!(%name, id = %key, "signed by the key {}", signed.signature.key_id());
        self.put_signature(key, name, signed);
        if let Some(resource) = self.library.get(key) {
            drop(self.shelve(resource, true));
        }
        self.announce(key);
        self.unblock_now(key); // it may have lacked this signature
        self.changed();
    }

    fn put_signature(&mut self, key: SwarmKey, name: &ResourceName, signed: Signed) {
        let Some(resource) = self.library.get_mut(key) else { return };
        for record in resource.record.names.iter_mut().filter(|record| record.name == *name) {
            (record.signed, record.to_be_signed) = (Some(signed.clone()), false);
        }
    }
}

fn changed_meanwhile(name: &ResourceName) -> ControlError {
    ControlError {
        kind: ErrorKind::Refused,
        message: format!("{name} was shared anew or removed while it was being signed"),
        hint: Some(format!("sign it again: `ttctl sign {} -s KEY`", shell::word(name.as_str()))),
    }
}

fn not_ours(name: &ResourceName) -> ControlError {
    ControlError {
        kind: ErrorKind::Refused,
        message: format!("{name} was not shared from this machine"),
        hint: Some("sign it on the machine that shared it".to_owned()),
    }
}
