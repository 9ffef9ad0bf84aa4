//! What anybody can do with Debian's `openssl` and nothing of ours: make an authority, certificates and lists of revoked
//! ones, call a machine with `s_client`, and pose as one with `s_server`.

use crate::process::{Output, Process, run_capped, sealed};
use crate::skip::skipped;
use crate::{CAP, wait_until};
use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;
use tempfile::TempDir;

/// Old and small keys are what strangers may have; Debian's `openssl` refuses to use them without this.
const ANY_KEY: [&str; 2] = ["-cipher", "DEFAULT@SECLEVEL=0"];

/// How long a machine may take to answer a caller or to disconnect it.
const ANSWER_MAX: Duration = Duration::from_secs(20);

const CONFIG: &str = "[ca]\ndefault_ca = fleet\n[fleet]\ndatabase = index.txt\nnew_certs_dir = .\nrand_serial = yes\n\
    certificate = ca.pem\nprivate_key = ca.key\ndefault_md = sha256\ndefault_days = 90\ndefault_crl_days = 30\n\
    crlnumber = crlnumber\npolicy = any\nunique_subject = no\n[any]\ncommonName = optional\n";

/// Makes an authority. It is the first command of docs/security.md about openssl.
const MAKE_CA: &str = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key \
    -subj '/CN=our fleet' -days 3650 -out ca.pem";

/// A certificate to be made.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The name of its file.
    pub file: &'a str,
    /// Its DNS names, as in `DNS:a,DNS:b`.
    pub names: &'a str,
    /// The kind of its key, as `openssl req -newkey` takes it.
    pub key: &'a [&'a str],
    /// The options of `openssl ca` that say when it counts.
    pub life: &'a [&'a str],
    /// Whether it is that of an authority.
    pub is_ca: bool,
}

/// The kind of key that docs/security.md recommends.
const P256: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

impl<'a> Wanted<'a> {
    /// An ordinary one.
    pub fn new(file: &'a str, names: &'a str) -> Wanted<'a> {
        Wanted { file, names, key: P256, life: &["-days", "90"], is_ca: false }
    }
}

/// A key with its certificate, for `s_client` and `s_server`.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The key.
    pub key: PathBuf,
    /// The certificate.
    pub certificate: PathBuf,
    /// The certificates above it, if there are any.
    pub above: Option<PathBuf>,
}

/// Whether there is no `openssl` here, which is noted.
#[track_caller]
pub fn is_missing() -> bool {
    let version = std::process::Command::new("openssl").arg("version").output();
    let is_missing = !version.is_ok_and(|output| output.status.success());
    if is_missing {
        skipped("openssl is missing (apt-get install openssl)");
    }
    is_missing
}

/// An authority of stock openssl in a directory of its own.
pub struct OpensslCa {
    home: TempDir,
}

impl OpensslCa {
    /// Makes one. `None`, and a note of that, where there is no `openssl`.
    #[track_caller]
    pub fn new() -> Option<OpensslCa> {
        if is_missing() {
            return None;
        }
        let ca = OpensslCa { home: tempfile::tempdir().expect("a temporary folder") };
        ca.sh(MAKE_CA);
        for (file, text) in [("ca.cnf", CONFIG), ("index.txt", ""), ("crlnumber", "01\n")] {
            fs::write(ca.dir().join(file), text).expect("writes a file");
        }
        Some(ca)
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        self.home.path()
    }

    /// The file with its certificate.
    pub fn certificates(&self) -> PathBuf {
        self.dir().join("ca.pem")
    }

    /// Runs a command of the shell in its directory.
    #[track_caller]
    pub fn sh(&self, script: &str) -> Output {
        let mut sh = sealed(Path::new("/bin/sh"), self.dir());
        sh.current_dir(self.dir()).args(["-ec", script]);
        let output = run_capped(sh, CAP).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(output.code, 0, "{script}\n{}{}", output.stdout, output.stderr);
        output
    }

    /// Issues a certificate for a new key with `openssl req` and `openssl ca`.
    #[track_caller]
    pub fn issue(&self, wanted: Wanted<'_>) -> Credential {
        self.request(wanted);
        let (file, life) = (wanted.file, wanted.life.join(" "));
        self.sh(&format!(
            "openssl ca -batch -notext -config ca.cnf -in {file}.csr -out {file}.crt -extfile {file}.ext {life}"
        ));
        self.credential(file)
    }

    /// The same, signed by a key that it issued before, and with the certificates above that one.
    #[track_caller]
    pub fn issue_below(&self, above: &Credential, wanted: Wanted<'_>) -> Credential {
        self.request(wanted);
        let file = wanted.file;
        let (certificate, key) = (above.certificate.display(), above.key.display());
        let chain = self.dir().join(format!("{file}.above"));
        self.sh(&format!(
            "openssl x509 -req -in {file}.csr -CA {certificate} -CAkey {key} -days 90 -extfile {file}.ext -out {file}.crt"
        ));
        let beyond = above.above.iter().map(|path| fs::read_to_string(path).expect("a file"));
        let nearest = fs::read_to_string(&above.certificate).expect("a file");
        let text: String = [nearest].into_iter().chain(beyond).collect();
        fs::write(&chain, text).expect("writes a file");
        Credential { above: Some(chain), ..self.credential(file) }
    }

    /// A certificate that its own key signed.
    #[track_caller]
    pub fn self_made(&self, wanted: Wanted<'_>) -> Credential {
        self.request(wanted);
        let file = wanted.file;
        self.sh(&format!(
            "openssl x509 -req -in {file}.csr -signkey {file}.key -days 90 -extfile {file}.ext -out {file}.crt"
        ));
        self.credential(file)
    }

    /// Makes a key, and writes the request and what is to be in the certificate.
    #[track_caller]
    fn request(&self, wanted: Wanted<'_>) {
        let (file, key) = (wanted.file, wanted.key.join(" "));
        let kind = if wanted.is_ca {
            "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n".to_owned()
        } else {
            format!("extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName={}\n", wanted.names)
        };
        fs::write(self.dir().join(format!("{file}.ext")), kind).expect("writes a file");
        self.sh(&format!(
            "openssl req -new -newkey {key} -nodes -keyout {file}.key -subj /CN={file} -out {file}.csr"
        ));
    }

    fn credential(&self, file: &str) -> Credential {
        let at = |suffix: &str| self.dir().join(format!("{file}.{suffix}"));
        Credential { key: at("key"), certificate: at("crt"), above: None }
    }

    /// Revokes a certificate, and writes the list anew, as PEM. A rename puts it in its place.
    #[track_caller]
    pub fn revoke(&self, file: &str) {
        self.sh(&format!("openssl ca -config ca.cnf -revoke {file}.crt"));
        self.list_revoked();
    }

    /// Writes the list of revoked certificates, and returns its file.
    #[track_caller]
    pub fn list_revoked(&self) -> PathBuf {
        self.sh("openssl ca -config ca.cnf -gencrl -out crl.new && mv crl.new crl.pem");
        self.dir().join("crl.pem")
    }

    /// The configuration of a machine with this certificate, which requires TLS.
    #[track_caller]
    pub fn config(&self, shown: &Credential) -> String {
        let pem = shown.key.with_extension("pem");
        let files = [Some(&shown.key), Some(&shown.certificate), shown.above.as_ref()];
        let texts = files.into_iter().flatten().map(|path| fs::read_to_string(path).expect("a file"));
        fs::write(&pem, texts.collect::<String>()).expect("writes a file");
        self.sh(&format!("chmod 600 {}", pem.display()));
        self.config_of(&pem)
    }

    /// The same with a file of key and certificate.
    pub fn config_of(&self, identity: &Path) -> String {
        let (identity, ca) = (identity.display(), self.certificates());
        let (ca, crl) = (ca.display(), self.dir().join("crl.pem"));
        format!(
            "tls = \"require\"\ntls_identity = \"{identity}\"\ntls_ca = \"{ca}\"\ntls_crl = \"{}\"\n",
            crl.display()
        )
    }
}

/// The options by which s_client and s_server use a key with its certificate.
fn shows(shown: &Credential) -> Vec<&std::ffi::OsStr> {
    let mut options =
        vec!["-cert".as_ref(), shown.certificate.as_os_str(), "-key".as_ref(), shown.key.as_os_str()];
    if let Some(above) = &shown.above {
        options.extend(["-cert_chain".as_ref(), above.as_os_str()]);
    }
    options
}

/// What a caller got.
#[derive(Debug)]
pub struct Called {
    /// The first bytes that the machine said inside of TLS; none if it said nothing.
    pub said: Vec<u8>,
    /// What s_client says about the connection.
    pub about: String,
}

/// Calls a machine with `openssl s_client`, says `hello` inside of TLS, and waits until the machine says something or
/// disconnects.
#[track_caller]
pub fn call(addr: SocketAddr, shown: Option<&Credential>, more: &[&str], hello: &[u8]) -> Called {
    let mut command = sealed(Path::new("openssl"), Path::new("/nowhere"));
    command.args(["s_client", "-quiet", "-connect", &addr.to_string()]).args(ANY_KEY).args(more);
    command.args(shown.map(shows).unwrap_or_default());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("openssl starts");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    let _ = stdin.write_all(hello); // it may be gone already
    let _ = stdin.flush();
    let (mut stdout, mut stderr) =
        (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
    let (says, said) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = vec![0; 256];
        let read = stdout.read(&mut bytes).unwrap_or(0);
        bytes.truncate(read);
        let _ = says.send(bytes);
    });
    let about = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let said = said.recv_timeout(ANSWER_MAX);
    let _ = child.kill();
    let _ = child.wait();
    drop(stdin);
    let about = about.join().expect("it reads");
    let said = said.unwrap_or_else(|_| panic!("{addr} neither answers nor disconnects\n{about}"));
    Called { said, about }
}

/// A false machine: `openssl s_server`, which writes what it is told to a file.
pub struct Server {
    process: Process,
    addr: SocketAddr,
}

impl Server {
    /// Starts it with this certificate on this address.
    #[track_caller]
    pub fn start(ca: &OpensslCa, addr: SocketAddr, shown: &Credential) -> Server {
        let mut command = sealed(Path::new("openssl"), ca.dir());
        command.args(["s_server", "-tls1_3", "-accept", &addr.to_string()]).args(ANY_KEY).args(shows(shown));
        // It ends when there is nothing to read any more.
        command.stdin(Stdio::piped());
        let log = ca.dir().join(format!("s_server-{}.log", addr.port()));
        let process = Process::start("s_server", command, &log).expect("openssl starts");
        let server = Server { process, addr };
        wait_until("s_server listens", CAP, || server.log().contains("ACCEPT"));
        server
    }

    /// Its URL, as that of a tracker.
    pub fn url(&self) -> String {
        format!("tt://{}", self.addr)
    }

    /// What it says of its connections, and what it was told inside of them.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
