//! The state of one swarm that must survive a restart, beside its manifest and its have map.

use super::{FileIdentity, atomic, invalid};
use serde::{Deserialize, Serialize};
use shared::id::{ListDigest, ResourceId, SwarmKey};
use shared::manifest::Manifest;
use shared::name::ResourceName;
use shared::signature::SignatureText;
use shared::url::TrackerUrl;
use shared::wanted::Wanting;
use std::collections::BTreeSet;
use std::io;

/// The version of the record's format.
pub(super) const VERSION: u32 = 1;

/// The record of one swarm.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The swarm.
    pub key: SwarmKey,
    /// Trackers to announce to beside those of the manifest: the ones where it was found.
    pub trackers: Vec<TrackerUrl>,
    /// When it was shared, in milliseconds since 1970; 0 if unknown.
    pub shared_at_ms: u64,
    /// Whether it was shared on this machine, which then keeps it published.
    pub origin: bool,
    /// Trackers that have not confirmed its names yet, because it was shared without permission to take names over.
    pub claims: BTreeSet<TrackerUrl>,
    /// Trackers on which another machine had its name. It is published there without a date, so that it does not take
    /// the name over even after a restart.
    pub undated: BTreeSet<TrackerUrl>,
    /// Whether a user paused it.
    pub paused: bool,
    /// Whether a user asked that no chunks of its download be taken from other files of this machine. `false` in a
    /// rebuilt record and in one of an earlier version.
    pub no_reuse: bool,
    /// Whether chunks of the file that it replaces are being taken. After a crash that file is looked at again.
    pub takes_from_older: bool,
    /// Whether it is a file even if its bytes are those of a tree, because a user asked for that.
    pub as_file: bool,
    /// Whether it may be a tree with symbolic links that lead outside of it, because a user asked for that.
    pub links_outside: bool,
    /// The names that it has, or will have, in the shared directory.
    pub names: Vec<NameRecord>,
}

/// A name of a swarm's resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NameRecord {
    /// The name.
    pub name: ResourceName,
    /// Whether other content with this name may be replaced. Of directories, only the one in `replaces`.
    #[serde(default)]
    pub replace: bool,
    /// The directory that may be replaced: the one that was there when a user last asked for that. No other one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<FileIdentity>,
    /// The file's identity when it was published or hashed; `None` while it is being fetched.
    pub published: Option<FileIdentity>,
    /// Whether the file was found damaged after a complaint, so that it must be checked before it is served again.
    #[serde(default)]
    pub damaged: bool,
    /// Whether it was taken back from the trackers: it is not published under this name until it is shared again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub taken_back: bool,
    /// When the name came to be here, shared or wanted, in milliseconds since 1970; 0 if that is not known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub added_at_ms: u64,
    /// Who wants it; empty in a rebuilt record.
    #[serde(default, skip_serializing_if = "Wanting::is_empty")]
    pub wanted_by: Wanting,
    /// Whether its signature is still to come from whoever shares it: until then it is not published under this name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub to_be_signed: bool,
    /// The signature of its manifest, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
}

/// The signature of a name's manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The trackers of the manifest, which are signed, too. The resource may have others.
    pub trackers: Vec<TrackerUrl>,
    /// The signature.
    pub signature: SignatureText,
}

impl Signed {
    /// This signature of this manifest.
    pub fn new(manifest: &Manifest, signature: SignatureText) -> Signed {
        Signed { trackers: manifest.trackers().to_vec(), signature }
    }
}

impl NameRecord {
    /// A name with this file, or with none yet. Other content may not be replaced, nothing is damaged, and the
    /// time when it was added is unknown.
    pub fn new(name: ResourceName, published: Option<FileIdentity>, wanted_by: Wanting) -> NameRecord {
        NameRecord {
            name,
            replace: false,
            replaces: None,
            published,
            damaged: false,
            taken_back: false,
            added_at_ms: 0,
            wanted_by,
            to_be_signed: false,
            signed: None,
        }
    }
}

impl NameRecord {
    /// The manifest of the resource under this name, as it was signed.
    pub fn manifest(&self, of_resource: &Manifest) -> Manifest {
        let manifest = of_resource.with_name(self.name.clone());
        let signed = self.signed.as_ref().and_then(|signed| manifest.with_trackers(signed.trackers.clone()));
        signed.unwrap_or(manifest)
    }

    /// The signature of that manifest.
    pub fn signature(&self) -> Option<&SignatureText> {
        self.signed.as_ref().map(|signed| &signed.signature)
    }

    /// Says what may be replaced from now on: whatever file has the name, and this directory.
    pub fn may_replace(&mut self, replaces: Option<FileIdentity>) {
        (self.replace, self.replaces) = (true, replaces);
    }

    /// Notes that its content has its name now: nothing may be replaced any more.
    pub fn note_published(&mut self, identity: FileIdentity) {
        (self.published, self.replace, self.replaces, self.damaged) = (Some(identity), false, None, false);
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[derive(Serialize, Deserialize)]
struct Toml {
    version: u32,
    resource: String,
    digest: String,
    trackers: Vec<TrackerUrl>,
    shared_at_ms: u64,
    origin: bool,
    #[serde(default)]
    claims: BTreeSet<TrackerUrl>,
    #[serde(default)]
    undated: BTreeSet<TrackerUrl>,
    paused: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    no_reuse: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    takes_from_older: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    as_file: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    links_outside: bool,
    names: Vec<NameRecord>,
}

impl Record {
    /// A record for a resource of which only the manifest is left. Whether it was published, had another name or was
    /// paused is unknown.
    pub(super) fn rebuilt(manifest: &Manifest) -> Record {
        let name = manifest.name().clone();
        let name = NameRecord::new(name, None, Wanting::default());
        Record::wanted(manifest.key(), None, 0, name)
    }

    /// The record of a resource that is fetched under one name. `tracker` is the one whose catalogue named it;
    /// `shared_at_ms` is the date there.
    pub fn wanted(key: SwarmKey, tracker: Option<TrackerUrl>, shared_at_ms: u64, name: NameRecord) -> Record {
        let trackers = tracker.into_iter().collect();
        Record { trackers, shared_at_ms, ..Record::new(key, vec![name]) }
    }

    /// A record of these names, in which everything else is empty or `false`.
    pub fn new(key: SwarmKey, names: Vec<NameRecord>) -> Record {
        Record {
            key,
            trackers: Vec::new(),
            shared_at_ms: 0,
            origin: false,
            claims: BTreeSet::new(),
            undated: BTreeSet::new(),
            paused: false,
            no_reuse: false,
            takes_from_older: false,
            as_file: false,
            links_outside: false,
            names,
        }
    }

    /// The content of the record's file, with its checksum.
    pub fn to_bytes(&self) -> Vec<u8> {
        let toml = Toml {
            version: VERSION,
            resource: self.key.resource.to_string(),
            digest: self.key.digest.to_string(),
            trackers: self.trackers.clone(),
            shared_at_ms: self.shared_at_ms,
            origin: self.origin,
            claims: self.claims.clone(),
            undated: self.undated.clone(),
            paused: self.paused,
            no_reuse: self.no_reuse,
            takes_from_older: self.takes_from_older,
            as_file: self.as_file,
            links_outside: self.links_outside,
            names: self.names.clone(),
        };
        let text = toml::to_string(&toml).expect("a record has nothing that TOML cannot say");
        atomic::seal(text.as_bytes())
    }

    /// Parses the bytes of [`to_bytes`](Record::to_bytes).
    ///
    /// # Errors
    /// When it is torn or no record (`InvalidData`), or of a later version (`Unsupported`).
    pub fn from_bytes(sealed: &[u8]) -> io::Result<Record> {
        atomic::refuse_later(sealed, "version = ", VERSION)?;
        let text = std::str::from_utf8(atomic::unseal(sealed)?).map_err(invalid)?;
        let toml: Toml = toml::from_str(text).map_err(invalid)?;
        if toml.version != VERSION {
            return Err(invalid(format!("it has format version {}, not {VERSION}", toml.version)));
        }
        let resource: ResourceId = toml.resource.parse().map_err(invalid)?;
        let digest: ListDigest = toml.digest.parse().map_err(invalid)?;
        Ok(Record {
            key: SwarmKey { resource, digest },
            trackers: toml.trackers,
            shared_at_ms: toml.shared_at_ms,
            origin: toml.origin,
            claims: toml.claims,
            undated: toml.undated,
            paused: toml.paused,
            no_reuse: toml.no_reuse,
            takes_from_older: toml.takes_from_older,
            as_file: toml.as_file,
            links_outside: toml.links_outside,
            names: toml.names,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::wanted::WantedBy;

    const SIGNATURE: &str = "untrusted comment: signature from minisign secret key\n\
        RUTnOD6m9zm632ME3utFThhTQXKmv7BIo0BRsjrnnYuL0TYCb8Ycn0KKqmeKEN42gOxmq0MacRKwxtAcxdEbuIbpVKhC4xMEAA0=\n\
        trusted comment: timestamp:1795740186\tfile:hello.txt.tinytorrent\thashed\n\
        jyQNybLAKIi4twM/vmuODN+ZlDdkYb5g0x+SIaX3h+yvWhTJNMzsZ6sogJY6IiBb8IOgaLACEeati9FZRUsECQ==\n";

    #[test]
    fn it_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let record = Record {
            key: SwarmKey { resource: ResourceId([1; 32]), digest: ListDigest([2; 32]) },
            trackers: vec!["tt://[::1]:7986".parse().unwrap()],
            shared_at_ms: 1_700_000_000_000,
            origin: true,
            claims: ["tt://[::2]:7986".parse().unwrap()].into(),
            undated: ["tt://[::3]:7986".parse().unwrap()].into(),
            paused: false,
            no_reuse: true,
            takes_from_older: true,
            as_file: false,
            links_outside: true,
            names: vec![
                NameRecord {
                    name: "été \"1\"".parse().unwrap(),
                    replace: false,
                    replaces: None,
                    published: Some(FileIdentity::at(folder.path()).unwrap()),
                    damaged: true,
                    taken_back: true,
                    added_at_ms: 1_700_000_000_001,
                    wanted_by: vec![
                        WantedBy::User { uid: 1000, name: Some("alice".to_owned()) },
                        WantedBy::User { uid: 4711, name: None },
                        WantedBy::Found,
                        WantedBy::Subscription("*.iso".to_owned()),
                        WantedBy::Others,
                    ]
                    .into(),
                    to_be_signed: true,
                    signed: Some(Signed {
                        trackers: vec!["tt://tracker.example".parse().unwrap()],
                        signature: SIGNATURE.parse().unwrap(),
                    }),
                },
                NameRecord {
                    replace: true,
                    replaces: FileIdentity::of_directory_at(folder.path()),
                    ..NameRecord::new("b".parse().unwrap(), None, Wanting::default())
                },
            ],
        };
        assert_eq!(Record::from_bytes(&record.to_bytes()).unwrap(), record);
    }

    #[test]
    fn a_record_of_an_earlier_run_that_says_less_is_read() {
        let key = SwarmKey { resource: ResourceId([1; 32]), digest: ListDigest([2; 32]) };
        let text = format!(
            "version = 1\nresource = \"{}\"\ndigest = \"{}\"\ntrackers = []\nshared_at_ms = 5\norigin = true\npaused = false\n[[names]]\nname = \"x\"\n",
            key.resource, key.digest
        );
        let record = Record::from_bytes(&atomic::seal(text.as_bytes())).unwrap();
        assert_eq!((record.key, record.shared_at_ms, record.claims.len()), (key, 5, 0));
        assert!(!record.no_reuse, "chunks may be taken from other files");
        assert_eq!(record.names, [NameRecord::new("x".parse().unwrap(), None, Wanting::default())]);
    }

    #[test]
    fn it_is_written_as_ever() {
        let record = Record {
            key: SwarmKey { resource: ResourceId([1; 32]), digest: ListDigest([2; 32]) },
            trackers: vec!["tt://[::1]:7986".parse().unwrap()],
            shared_at_ms: u64::from(u32::MAX) + 1,
            origin: true,
            claims: BTreeSet::new(),
            undated: ["tt://[::3]:7986".parse().unwrap()].into(),
            paused: false,
            no_reuse: false,
            takes_from_older: false,
            as_file: false,
            links_outside: false,
            names: vec![NameRecord {
                name: "b".parse().unwrap(),
                replace: true,
                replaces: None,
                published: None,
                damaged: false,
                taken_back: false,
                added_at_ms: 7,
                wanted_by: vec![
                    WantedBy::User { uid: 1000, name: Some("alice".to_owned()) },
                    WantedBy::User { uid: 4711, name: None },
                    WantedBy::Found,
                    WantedBy::Watch,
                    WantedBy::Subscription("*.iso".to_owned()),
                    WantedBy::Feed("debian".to_owned()),
                    WantedBy::Others,
                ]
                .into(),
                to_be_signed: false,
                signed: None,
            }],
        };
        let (resource, digest) = ("01".repeat(32), "02".repeat(32));
        let text = format!(
            "version = 1\nresource = \"{resource}\"\ndigest = \"{digest}\"\ntrackers = [\"tt://[::1]:7986\"]\n\
             shared_at_ms = 4294967296\norigin = true\nclaims = []\nundated = [\"tt://[::3]:7986\"]\npaused = false\n\n\
             [[names]]\nname = \"b\"\nreplace = true\ndamaged = false\nadded_at_ms = 7\n\
             wanted_by = [{{ user = {{ uid = 1000, name = \"alice\" }} }}, {{ user = {{ uid = 4711 }} }}, \"found\", \"watch\", \
             {{ subscription = \"*.iso\" }}, {{ feed = \"debian\" }}, \"others\"]\n"
        );
        assert_eq!(std::str::from_utf8(atomic::unseal(&record.to_bytes()).unwrap()).unwrap(), text);
    }

    #[test]
    fn a_later_version_is_refused() {
        let error = Record::from_bytes(b"version = 2\nand what nobody knows yet").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }
}
