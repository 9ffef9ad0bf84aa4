//! A fleet's authority, made by `ttctl ca`, and the files and configurations of its machines.

use crate::process::{Output, run_capped, sealed};
use crate::{CAP, program};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// An authority in a directory of its own.
pub struct Authority {
    home: TempDir,
}

impl Authority {
    /// Makes one, with a certificate for its tracker.
    #[track_caller]
    pub fn new() -> Authority {
        Authority::with_life("3650 d")
    }

    /// Makes one that lives this long.
    #[track_caller]
    pub fn with_life(life: &str) -> Authority {
        let authority = Authority { home: tempfile::tempdir().expect("a temporary folder") };
        authority.ok(&["init", "--node", "hub", "--no-config", "--life", life]);
        authority
    }

    /// Runs `ttctl ca` with its directory.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> Output {
        let output = self.run(args);
        assert_eq!(output.code, 0, "ttctl ca {args:?}\n{}{}", output.stdout, output.stderr);
        output
    }

    /// Runs `ttctl ca` with its directory, whatever comes of it.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Output {
        let (command, rest) = args.split_first().expect("a command");
        let mut ttctl = sealed(&program("ttctl"), self.home.path());
        ttctl.args(["ca", command, "--dir"]).arg(self.dir()).args(rest);
        run_capped(ttctl, CAP).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Issues a certificate to a node. The result is the directory with its `identity.pem` and `ca.pem`.
    #[track_caller]
    pub fn issue(&self, node: &str, args: &[&str]) -> PathBuf {
        let out = self.home.path().join("machines").join(node);
        std::fs::create_dir_all(out.parent().expect("it has one")).expect("a folder");
        self.ok(&[&["issue", "-f", "-o", out.to_str().expect("UTF-8")], args, &[node]].concat());
        out
    }

    /// Revokes what a node has.
    #[track_caller]
    pub fn revoke(&self, node: &str) {
        self.ok(&["revoke", node]);
    }

    /// Where it keeps its files.
    pub fn dir(&self) -> PathBuf {
        self.home.path().join("ca")
    }

    /// The file with the certificates that its machines trust.
    pub fn certificates(&self) -> PathBuf {
        self.dir().join("ca.pem")
    }

    /// The configuration of its tracker in this mode.
    pub fn tracker(&self, mode: &str) -> String {
        self.config(mode, &self.dir().join("tracker.pem"), &self.certificates())
    }

    /// The configuration of a node in this mode. It gets a new certificate.
    #[track_caller]
    pub fn daemon(&self, node: &str, mode: &str) -> String {
        let identity = self.issue(node, &[]).join("identity.pem");
        self.config(mode, &identity, &self.certificates())
    }

    /// A configuration with these files.
    pub fn config(&self, mode: &str, identity: &Path, authorities: &Path) -> String {
        format!(
            "tls = \"{mode}\"\ntls_identity = \"{}\"\ntls_ca = \"{}\"\ntls_crl = \"{}\"\n",
            identity.display(),
            authorities.display(),
            self.dir().join("crl.der").display()
        )
    }
}

impl Default for Authority {
    #[track_caller]
    fn default() -> Authority {
        Authority::new()
    }
}
