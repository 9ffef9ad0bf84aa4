//! What a hook is told. It gets these variables and none of ttd's own.

use super::queue::Version;
use std::ffi::OsString;
use std::path::PathBuf;

/// Where a hook's own commands are looked for.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// What is told of the version that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// Its name and which version of it.
    pub version: Version,
    /// Where its file or directory is.
    pub path: PathBuf,
    /// The id of the key whose signature a rule of `[[trust]]` accepted; `None` if it needed none.
    pub signed_by: Option<String>,
}

impl Arrived {
    /// All variables of the hook's environment. Those of which nothing is known are empty, so that `set -u` is no problem.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let Arrived { version, path, signed_by } = self;
        vec![
            ("PATH", PATH.into()),
            ("TT_NAME", version.name.as_str().into()),
            ("TT_PATH", path.clone().into()),
            ("TT_RESOURCE", version.key.resource.to_string().into()),
            ("TT_VERSION", version.key.digest.to_string().into()),
            ("TT_SIGNED_BY", signed_by.clone().unwrap_or_default().into()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::{ListDigest, ResourceId, SwarmKey};

    #[test]
    fn a_hook_is_told_these_six_and_nothing_else() {
        let key = SwarmKey { resource: ResourceId([1; 32]), digest: ListDigest([2; 32]) };
        let version = Version { name: "app $(id).img".parse().unwrap(), key };
        let mut arrived =
            Arrived { version, path: "/srv/a b".into(), signed_by: Some("E7620F1842B4E81F".to_owned()) };
        let told = |arrived: &Arrived| -> Vec<String> {
            let all = arrived.environment();
            all.iter().map(|(name, value)| format!("{name}={}", value.display())).collect()
        };
        assert_eq!(
            told(&arrived),
            [
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
                "TT_NAME=app $(id).img".to_owned(),
                "TT_PATH=/srv/a b".to_owned(),
                format!("TT_RESOURCE={}", "01".repeat(32)),
                format!("TT_VERSION={}", "02".repeat(32)),
                "TT_SIGNED_BY=E7620F1842B4E81F".to_owned(),
            ]
        );
        arrived.signed_by = None;
        assert_eq!(told(&arrived)[5], "TT_SIGNED_BY=");
    }
}
