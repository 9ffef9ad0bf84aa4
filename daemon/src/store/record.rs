//! What must survive a restart of one swarm, beside its manifest and its have map.

use super::FileIdentity;
use serde::{Deserialize, Serialize};
use shared::id::{ListDigest, ResourceId, SwarmKey};
use shared::name::ResourceName;
use shared::url::TrackerUrl;
use std::io;

/// The version of the record's format.
const VERSION: u32 = 1;

/// The record of one swarm.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Which swarm.
    pub key: SwarmKey,
    /// Trackers to announce to beside the manifest's: where it was found.
    pub trackers: Vec<TrackerUrl>,
    /// When it was shared, in milliseconds since 1970; 0 if that is not known.
    pub shared_at_ms: u64,
    /// Whether it was shared here: then this machine sees to its publication.
    pub origin: bool,
    /// Whether an operator paused it.
    pub paused: bool,
    /// The names under which it is, or shall be, in the folder.
    pub names: Vec<NameRecord>,
}

/// A name of a swarm's resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NameRecord {
    /// The name.
    pub name: ResourceName,
    /// Whether other content of this name may be replaced.
    #[serde(default)]
    pub replace: bool,
    /// The file as it was when it was published or hashed; none while it is being fetched.
    pub published: Option<FileIdentity>,
}

#[derive(Serialize, Deserialize)]
struct Toml {
    version: u32,
    resource: String,
    digest: String,
    trackers: Vec<TrackerUrl>,
    shared_at_ms: u64,
    origin: bool,
    paused: bool,
    names: Vec<NameRecord>,
}

impl Record {
    /// The record as text.
    pub fn to_toml(&self) -> String {
        let toml = Toml {
            version: VERSION,
            resource: self.key.resource.to_string(),
            digest: self.key.digest.to_string(),
            trackers: self.trackers.clone(),
            shared_at_ms: self.shared_at_ms,
            origin: self.origin,
            paused: self.paused,
            names: self.names.clone(),
        };
        toml::to_string(&toml).expect("a record has nothing that TOML cannot say")
    }

    /// Reads what [`to_toml`](Record::to_toml) wrote.
    ///
    /// # Errors
    /// When the text is something else, or of a later version.
    pub fn from_toml(text: &[u8]) -> io::Result<Record> {
        let text = std::str::from_utf8(text).map_err(invalid)?;
        let toml: Toml = toml::from_str(text).map_err(invalid)?;
        if toml.version != VERSION {
            return Err(invalid(format!("its version is {}, not {VERSION}", toml.version)));
        }
        let resource: ResourceId = toml.resource.parse().map_err(invalid)?;
        let digest: ListDigest = toml.digest.parse().map_err(invalid)?;
        Ok(Record {
            key: SwarmKey { resource, digest },
            trackers: toml.trackers,
            shared_at_ms: toml.shared_at_ms,
            origin: toml.origin,
            paused: toml.paused,
            names: toml.names,
        })
    }
}

fn invalid(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let record = Record {
            key: SwarmKey { resource: ResourceId([1; 32]), digest: ListDigest([2; 32]) },
            trackers: vec!["tt://[::1]:7986".parse().unwrap()],
            shared_at_ms: 1_700_000_000_000,
            origin: true,
            paused: false,
            names: vec![
                NameRecord {
                    name: "été \"1\"".parse().unwrap(),
                    replace: false,
                    published: Some(FileIdentity::at(folder.path()).unwrap()),
                },
                NameRecord { name: "b".parse().unwrap(), replace: true, published: None },
            ],
        };
        assert_eq!(Record::from_toml(record.to_toml().as_bytes()).unwrap(), record);
    }

    #[test]
    fn a_later_version_is_refused() {
        let error = Record::from_toml(b"version = 2").unwrap_err().to_string();
        assert!(!error.is_empty());
    }
}
