//! What trackers say about the names of a resource.

use shared::name::ResourceName;
use shared::rpc::tracker::Namesake;
use std::time::Instant;

/// The standing of a resource that we publish in a tracker's catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Its names mean this resource.
    Good,
    /// It is published, but one of its names means this other content.
    Overtaken(Namesake),
    /// It is not published, because another machine shares this other content under its name.
    Taken(Namesake),
    /// It is not published; the text says why.
    Refused(String),
}

/// Newer versions of names of a resource, as reported by one tracker.
#[derive(Debug, Clone)]
pub struct Newer {
    /// What the names mean; one for each name at most.
    pub versions: Vec<Namesake>,
    /// When the tracker said so: how long ago something was shared is counted from then.
    pub heard: Instant,
}

impl Newer {
    /// What a name means by now, if it means another resource.
    pub fn of(&self, name: &ResourceName) -> Option<&Namesake> {
        self.versions.iter().find(|version| version.name == *name)
    }

    /// Whether these are the same versions of the same names.
    pub fn is_same(&self, versions: &[Namesake]) -> bool {
        let what = |version: &Namesake| (version.name.clone(), version.resource);
        self.versions.iter().map(what).eq(versions.iter().map(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::ResourceId;

    fn namesake(name: &str, id: u8) -> Namesake {
        let by = "10.0.0.1:7987".parse().unwrap();
        Namesake { name: name.parse().unwrap(), resource: ResourceId([id; 32]), by, shared_ago_ms: None }
    }

    #[test]
    fn each_name_has_its_newer_version() {
        let newer = Newer { versions: vec![namesake("a", 1), namesake("b", 2)], heard: Instant::now() };
        let of = |name: &str| newer.of(&name.parse().unwrap()).cloned();
        assert_eq!(["a", "b", "c"].map(of), [Some(namesake("a", 1)), Some(namesake("b", 2)), None]);
    }

    /// When and by whom they were shared changes nothing.
    #[test]
    fn versions_are_the_same_if_their_names_mean_the_same() {
        let newer = Newer { versions: vec![namesake("a", 1)], heard: Instant::now() };
        let again =
            Namesake { shared_ago_ms: Some(5), by: "10.0.0.2:1".parse().unwrap(), ..namesake("a", 1) };
        assert!(newer.is_same(&[again]));
        for others in [vec![namesake("a", 2)], vec![namesake("b", 1)], vec![]] {
            assert!(!newer.is_same(&others), "{others:?}");
        }
    }
}
