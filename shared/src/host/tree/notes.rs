//! What a tree does not carry of a directory.

/// What was left out, for whoever shares the directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes {
    /// FIFOs, sockets and devices.
    pub special: Noted,
    /// Symbolic links that lead outside of the directory.
    pub links: Noted,
    /// The setuid, setgid and sticky bits of these entries.
    pub bits: Noted,
    /// The capabilities (`security.capability`) of these programs.
    pub capabilities: Noted,
}

impl Notes {
    /// What was left out, for people: one sentence for each kind. `directory` is the directory's path.
    pub fn sentences(&self, directory: &str) -> Vec<String> {
        let kinds = [
            (&self.special, "{} is left out: it is not a file", "FIFOs, sockets and devices are left out"),
            (&self.links, "{} is left out: the link leads outside", "links that lead outside are left out"),
            (
                &self.bits,
                "{} loses its setuid, setgid or sticky bit",
                "entries lose their setuid, setgid or sticky bits",
            ),
            (
                &self.capabilities,
                "{} loses its capabilities (security.capability)",
                "programs lose their capabilities (security.capability)",
            ),
        ];
        let sentence = |(noted, one, many): (&Noted, &str, &str)| {
            let slash = if noted.first.is_empty() { "" } else { "/" };
            let first = format!("{directory}{slash}{}", noted.first);
            match noted.count {
                0 => None,
                1 => Some(one.replace("{}", &first)),
                count => Some(format!("{count} {many}, such as {first}")),
            }
        };
        kinds.into_iter().filter_map(sentence).collect()
    }
}

/// Entries that have something in common.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Noted {
    /// Their number.
    pub count: u64,
    /// The path of the first one that was found, below the directory and safe to show.
    pub first: String,
}

impl Noted {
    pub(super) fn add(&mut self, path: &str) {
        if self.count == 0 {
            self.first = super::error::shown(path.as_bytes());
        }
        self.count += 1;
    }
}
