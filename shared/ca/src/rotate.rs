//! Puts a new authority in the place of another, while the fleet runs.
//!
//! Each step is one replacement of `ca.pem`, and what has to be there before is written before: the key, the number of the
//! next list of revoked certificates, the tracker's certificate. So a process that is killed has done the step or not, and
//! the same command again does the rest. Which of two authorities is the old one is said by the order of the keys in
//! `ca.key`, and which one issues by the order of the certificates in `ca.pem`.

use crate::authority::{Authority, Init, LIFE_S_MAX, new_root, text_of};
use crate::disk;
use crate::error::CaError;
use crate::rotation::{Rotation, Step, behind};
use rustls_pki_types::CertificateDer;
use shared::token::TokenId;
use std::path::Path;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What the last step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The tokens that end: they name the authority that was dropped.
    pub tokens: Vec<TokenId>,
}

impl Authority {
    /// The new authority that is on its way; `None` if there is none.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn rotation(&self, now: u64) -> Result<Option<Rotation>, CaError> {
        let _lock = self.directory.lock()?;
        self.rotation_locked(now)
    }

    fn rotation_locked(&self, now: u64) -> Result<Option<Rotation>, CaError> {
        let Some(leaving) = self.leaving() else { return Ok(None) };
        let prints = self.fingerprints();
        let step = if leaving == 0 { Step::Announced } else { Step::Issuing };
        let coming = if leaving == 0 { prints[1] } else { prints[0] };
        let (list, revocations) = (self.directory.issued()?, self.directory.revocations()?);
        let tracker = self.present_tracker()?.map(|tracker| tracker.serial);
        let behind = behind(&list, &revocations, now, (step, coming), tracker.as_deref());
        let leaving_until = self.until_of(leaving);
        Ok(Some(Rotation { step, leaving: prints[leaving], coming, leaving_until, behind }))
    }

    /// Makes a new authority beside the present one, which goes on issuing. From then on machines hear of it. If one is on
    /// its way already, nothing is done.
    ///
    /// # Errors
    /// If the present key is not at hand, or if writing fails.
    pub fn begin_rotation(dir: &Path, now: u64, life_s: u64) -> Result<(), CaError> {
        if life_s == 0 || life_s > LIFE_S_MAX {
            return Err(CaError::Invalid(format!("an authority lives 1 to {LIFE_S_MAX} seconds")));
        }
        let present = Authority::open(dir)?;
        let lock = present.directory.lock()?;
        let present = Authority::open(dir)?;
        if present.leaving().is_some() {
            return Ok(());
        }
        let key = present.key(0).ok_or_else(|| CaError::NoKey(present.directory.key()))?;
        if present.certificates().len() > 1 {
            return Err(CaError::Invalid(
                "ca.pem has several authorities, which were not made here: exchange them by hand".to_owned(),
            ));
        }
        let init = Init { name: name_of(&present.certificates()[0])?, life_s };
        let (new_key, certificate) = new_root(now, &init)?;
        let keys = key.serialize_pem() + &new_key.serialize_pem();
        disk::replace(&present.directory.key(), 0o600, keys.as_bytes())?;
        let both = [present.certificates()[0].clone(), certificate.der().clone()];
        present.step(now, &both)?;
        drop(lock);
        Authority::open(dir)?.refresh(now).map(drop)
    }

    /// Has the new authority issue, when every machine has heard of it; with `anyway` also before. If it issues already,
    /// nothing is done.
    ///
    /// # Errors
    /// [`CaError::Behind`] for machines that have not heard of it; or if writing fails.
    pub fn issue_from_new(dir: &Path, now: u64, anyway: bool) -> Result<(), CaError> {
        let present = Authority::open(dir)?;
        let lock = present.directory.lock()?;
        let present = Authority::open(dir)?;
        let rotation = present.rotation_locked(now)?.ok_or(CaError::NotRotating)?;
        if rotation.step == Step::Issuing {
            return Ok(());
        }
        if !anyway && !rotation.behind.is_empty() {
            return Err(CaError::Behind(rotation.behind));
        }
        let mut turned = present.certificates().to_vec();
        turned.reverse();
        present.step(now, &turned)?;
        drop(lock);
        Authority::open(dir)?.refresh(now).map(drop)
    }

    /// Drops the old authority, when no machine shows a certificate of it; with `anyway` also before. The tracker's
    /// certificate is exchanged first, and tokens that name the old authority end.
    ///
    /// # Errors
    /// [`CaError::Behind`] for machines that would be cut off; or if writing fails.
    pub fn finish_rotation(dir: &Path, now: u64, anyway: bool) -> Result<Finished, CaError> {
        let present = Authority::open(dir)?;
        let lock = present.directory.lock()?;
        let present = Authority::open(dir)?;
        let Some(rotation) = present.rotation_locked(now)? else {
            // A process that was killed may have left the key of the dropped one.
            let key = present.key(0).ok_or(CaError::NotRotating)?;
            return match present.has_other_keys() {
                true => disk::replace(&present.directory.key(), 0o600, key.serialize_pem().as_bytes())
                    .map(|()| Finished { tokens: Vec::new() }),
                false => Err(CaError::NotRotating),
            };
        };
        if !anyway && !rotation.behind.is_empty() {
            return Err(CaError::Behind(rotation.behind));
        }
        if !anyway && rotation.step == Step::Announced {
            return Err(CaError::Invalid("the new authority does not issue yet".to_owned()));
        }
        let new = present.fingerprints().iter().position(|print| *print == rotation.coming).unwrap_or(0);
        let key = present.key(new).ok_or_else(|| CaError::NoKey(present.directory.key()))?;
        present.exchange_tracker(now, new)?;
        let tokens = present.end_tokens(now)?;
        present.step(now, &[present.certificates()[new].clone()])?;
        disk::replace(&present.directory.key(), 0o600, key.serialize_pem().as_bytes())?;
        drop(lock);
        Authority::open(dir)?.refresh(now)?;
        Ok(Finished { tokens })
    }

    /// Has these authorities trusted from now on, the first one issuing. The next list of revoked certificates has another
    /// number, so that every machine fetches the lists of all of them.
    fn step(&self, now: u64, certificates: &[CertificateDer<'_>]) -> Result<(), CaError> {
        let mut revocations = self.directory.revocations()?;
        revocations.turn(now);
        self.directory.set_revocations(&revocations)?;
        disk::replace(&self.directory.certificates(), 0o644, text_of(certificates).as_bytes())
    }

    /// Gives the tracker a certificate of the new authority, with the life that it had.
    fn exchange_tracker(&self, now: u64, by: usize) -> Result<(), CaError> {
        let Some(tracker) = self.present_tracker()? else { return Ok(()) };
        self.set_tracker_identity_locked(by, now, &tracker.node, tracker.life_s).map(drop)
    }

    fn end_tokens(&self, now: u64) -> Result<Vec<TokenId>, CaError> {
        let mut tokens = self.directory.tokens()?;
        let mut ended = Vec::new();
        for token in tokens.0.iter_mut().filter(|token| token.uses_left(now) > 0) {
            token.is_revoked = true;
            ended.push(token.id);
        }
        self.directory.set_tokens(&tokens)?;
        Ok(ended)
    }
}

/// The name of an authority, without the fingerprint.
fn name_of(certificate: &[u8]) -> Result<String, CaError> {
    let (_, certificate) =
        X509Certificate::from_der(certificate).map_err(|_| rcgen::Error::CouldNotParseCertificate)?;
    let subject = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    let subject = subject.unwrap_or("TinyTorrent");
    Ok(subject.rsplit_once(' ').map_or(subject, |(name, _)| name).to_owned())
}
