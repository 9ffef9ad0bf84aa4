//! Takes certificates and tokens back.

use crate::authority::Authority;
use crate::error::CaError;
use crate::revoked::Revoked;
use crate::{crl, disk};
use shared::identity::NodeName;
use shared::token::TokenId;

/// How old the signed list may be before it is made anew, in seconds: a day.
const FRESH_S: i64 = 24 * 3600;

/// What is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// All certificates of a node, and the tokens that admitted it: whoever has the machine may have its token.
    Node(NodeName),
    /// One certificate.
    Serial(Vec<u8>),
    /// A token. Machines that it admitted stay.
    Token(TokenId),
}

/// What was revoked by a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// How many certificates that were not revoked before.
    pub certificates: usize,
    /// How many tokens that were not revoked before.
    pub tokens: usize,
}

impl Authority {
    /// Revokes a node, a certificate or a token. What was revoked already is no error.
    ///
    /// Tokens are on the disk first, then the list of certificates, then its signed form. A process that is killed in
    /// between has revoked what is on the disk, and [`Authority::refresh`] makes up the signed form.
    ///
    /// # Errors
    /// If nobody knows what is to be revoked, if the key is not at hand, or if writing fails.
    pub fn revoke(&self, now: u64, whom: &Whom) -> Result<Revocation, CaError> {
        let lock = self.directory.lock()?;
        let (list, mut tokens) = (self.directory.issued()?, self.directory.tokens()?);
        let mut revocations = self.directory.revocations()?;
        let mut count = 0;
        let mut revoked_tokens = 0;
        for token in &mut tokens.0 {
            let is_meant = match whom {
                Whom::Node(name) => token.uses.iter().any(|one| one.node == *name),
                Whom::Token(id) => token.id == *id,
                Whom::Serial(_) => false,
            };
            if is_meant {
                count += 1;
                revoked_tokens += usize::from(!token.is_revoked);
                token.is_revoked = true;
            }
        }
        let meant = list.entries.iter().filter(|entry| match whom {
            Whom::Node(name) => entry.node.name == *name,
            Whom::Serial(serial) => entry.serial == *serial,
            Whom::Token(_) => false,
        });
        let before = revocations.entries.len();
        for entry in meant {
            count += 1;
            if !revocations.contains(&entry.serial) {
                let (serial, node) = (entry.serial.clone(), entry.node.name.clone());
                revocations.entries.push(Revoked { serial, node, at: now, not_after: entry.not_after });
            }
        }
        let certificates = revocations.entries.len() - before;
        if count == 0 {
            return Err(CaError::Unknown(match whom {
                Whom::Node(name) => format!("node {name}"),
                Whom::Serial(_) => "certificate with this serial number".to_owned(),
                Whom::Token(id) => format!("token {id}"),
            }));
        }
        if certificates > 0 {
            self.issuer(now)?; // before anything is changed
        }
        if revoked_tokens > 0 {
            self.directory.set_tokens(&tokens)?;
        }
        if certificates > 0 {
            revocations.turn(now);
            self.directory.set_revocations(&revocations)?;
        }
        drop(lock);
        if certificates > 0 {
            self.refresh(now)?;
        }
        Ok(Revocation { certificates, tokens: revoked_tokens })
    }

    /// The signed list of what was revoked; while two authorities are trusted, one of each, one after the other. It is made
    /// anew if it is missing, if it lacks something, or after a day, as
    /// long as the key is at hand.
    ///
    /// # Errors
    /// If the directory cannot be read, or if the list lacks something and cannot be made.
    pub fn refresh(&self, now: u64) -> Result<Vec<u8>, CaError> {
        let _lock = self.directory.lock()?;
        let path = self.directory.crl();
        let mut revocations = self.directory.revocations()?;
        let old = disk::read(&path)?;
        let signers = self.signers(now)?;
        let present = old.as_deref().and_then(crl::stamp).filter(|stamp| {
            stamp.number == revocations.number && (stamp.lists == signers.len() || signers.is_empty())
        });
        let age = present.map(|stamp| i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(stamp.at));
        match (age, old) {
            // A clock that jumped back makes the list's age negative: it was signed by a clock that was ahead.
            (Some(age), Some(old)) if age < FRESH_S || !self.can_sign() => return Ok(old),
            (Some(_), _) => {
                revocations.turn(now);
                self.directory.set_revocations(&revocations)?;
            }
            (None, _) => {}
        }
        self.issuer(now)?; // says why nothing can be signed
        let lists = signers.iter().map(|signer| crl::sign(now, &revocations, signer));
        let der = lists.collect::<Result<Vec<_>, _>>()?.concat();
        disk::replace(&path, 0o644, &der)?;
        Ok(der)
    }
}
