//! A scenario in which a closed fleet does everything that it can do with its secrets, and none of them is in anything that
//! it logs or prints.

use cluster::files::{MIB, content};
use cluster::process::{Output, run_capped, sealed};
use cluster::skip::skipped;
use cluster::{Authority, CAP, Daemon, Tracker, program, wait_until};
use serde_json::Value;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};

const LOGS_ALL: [&str; 2] = ["--log-level", "trace"];
const PASSWORD: &str = "hunter2 and a half";

/// Everything that was printed or logged, with where it comes from.
#[derive(Default)]
struct Heard(RefCell<Vec<(String, String)>>);

impl Heard {
    fn note(&self, from: &str, text: impl Into<String>) {
        self.0.borrow_mut().push((from.to_owned(), text.into()));
    }

    fn command(&self, daemon: &Daemon, args: &[&str]) -> Output {
        let output = daemon.ctl(args);
        self.note(&format!("ttctl {}", args[0]), format!("{}{}", output.stdout, output.stderr));
        output
    }

    /// What an authority shows about itself, in both formats.
    fn ask_authority(&self, authority: &Authority) {
        for args in [&["list", "--all"][..], &["tokens"], &["list", "--all", "--json"], &["tokens", "--json"]]
        {
            let output = authority.ok(args);
            self.note(&format!("ttctl ca {}", args[0]), format!("{}{}", output.stdout, output.stderr));
        }
    }

    /// What a machine shows about itself, in both formats.
    fn ask_everything(&self, daemon: &Daemon) {
        for args in [
            &["status"][..],
            &["list"],
            &["identity"],
            &["info"],
            &["doctor"],
            &["peers"],
            &["peers", "--uploads"],
            &["tracker", "list"],
            &["tracker", "peers", "app"],
            &["fleet", "app"],
        ] {
            self.command(daemon, args);
            self.command(daemon, &[args, &["--json"]].concat());
        }
    }
}

/// A secret in each form in which a program could show it.
struct Secret {
    what: String,
    forms: Vec<String>,
}

impl Secret {
    fn bytes(what: &str, bytes: &[u8]) -> Secret {
        let (mut small, mut large, mut list) = (String::new(), String::new(), String::new());
        for byte in bytes {
            write!(small, "{byte:02x}").unwrap();
            write!(large, "{byte:02X}").unwrap();
            write!(list, "{byte}, ").unwrap();
        }
        let list = list.trim_end_matches(", ").to_owned();
        let raw = String::from_utf8_lossy(bytes).into_owned();
        Secret { what: what.to_owned(), forms: vec![small, large, list, base64(bytes), raw] }
    }

    /// A key in PKCS #8: the lines of its PEM, the whole of it, and the 32 bytes that make it a secret.
    fn key(what: &str, pem: &Path) -> Vec<Secret> {
        let text = fs::read_to_string(pem).unwrap_or_else(|error| panic!("{}: {error}", pem.display()));
        let body = text.split_once("PRIVATE KEY-----\n").unwrap().1.split_once("-----END").unwrap().0;
        let lines: Vec<String> = body.lines().map(|line| line.trim().to_owned()).collect();
        let der = unbase64(&lines.concat());
        // SEQUENCE, version, algorithm, and the key as an OCTET STRING of 32 bytes.
        let at = der.windows(2).position(|two| two == [4, 32]).expect("a key on P-256") + 2;
        vec![Secret { what: format!("{what} as PEM"), forms: lines }, Secret::bytes(what, &der[at..at + 32])]
    }

    /// The part of a token that nobody may see.
    fn token(token: &str) -> [Secret; 2] {
        let secret = token.rsplit('.').next().unwrap();
        let forms = vec![secret.to_owned(), secret.to_uppercase(), secret[..secret.len() - 2].to_owned()];
        let text = Secret { what: "a token".to_owned(), forms };
        [text, Secret::bytes("the secret of a token", &secret_of(token))]
    }

    /// Where it is found, and in which form.
    fn found(&self, heard: &Heard) -> Option<String> {
        let heard = heard.0.borrow();
        let forms = self.forms.iter().filter(|form| form.len() >= 12);
        let mut pairs = forms.flat_map(|form| heard.iter().map(move |(from, text)| (form, from, text)));
        let (form, from, _) = pairs.find(|(form, _, text)| text.contains(form.as_str()))?;
        Some(format!("{} is in {from}, as {form}", self.what))
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    // Whole groups only: what follows depends on what would come next.
    for group in bytes.chunks_exact(3) {
        let bits = group.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].iter().for_each(|shift| text.push(DIGITS[bits >> shift & 63].into()));
    }
    text
}

fn unbase64(text: &str) -> Vec<u8> {
    let digits = text.bytes().filter_map(|char| DIGITS.iter().position(|digit| *digit == char));
    let digits: Vec<usize> = digits.collect();
    let group = |group: &[usize]| {
        let bits = group.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - group.len()));
        [16, 8, 0]
            .map(|shift| (bits >> shift) as u8)
            .into_iter()
            .take(group.len() * 6 / 8)
            .collect::<Vec<_>>()
    };
    digits.chunks(4).flat_map(group).collect()
}

/// The bytes of a token's secret: digits of 5 bits, without those that look alike.
fn secret_of(token: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let digits = token.rsplit('.').next().unwrap().bytes();
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for digit in digits.map(|char| DIGITS.iter().position(|digit| *digit == char).unwrap() as u32) {
        (bits, held) = (bits << 5 | digit, held + 5);
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
        bits &= (1 << held) - 1;
    }
    bytes.truncate(16); // check digits follow
    bytes
}

fn token(authority: &Authority, heard: &Heard, args: &[&str]) -> String {
    let made = authority.ok(&[&["token", "--json"], args].concat());
    heard.note("ttctl ca token, stderr", made.stderr);
    let made: Value = serde_json::from_str(&made.stdout).unwrap();
    made["token"].as_str().unwrap().to_owned()
}

/// Runs a command that reads a password. `None` if there is no such program.
fn with_password(mut command: Command, password: &str) -> Option<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take().unwrap().write_all(format!("{password}\n{password}\n").as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(Output {
        code: ended.status.code().unwrap_or(-1),
        stdout: text(&ended.stdout),
        stderr: text(&ended.stderr),
    })
}

/// What is in the memory of a process that can be written.
fn memory(id: u32) -> String {
    use std::os::unix::fs::FileExt;
    let maps = fs::read_to_string(format!("/proc/{id}/maps")).unwrap();
    let memory = fs::File::open(format!("/proc/{id}/mem")).unwrap();
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (range, _) = line.split_once(' ').unwrap();
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|hex| u64::from_str_radix(hex, 16).unwrap());
        // Most of what is reserved was never written.
        let mut page = vec![0; 64 << 10];
        for at in (from..to).step_by(page.len()) {
            let bytes = page.len().min((to - at) as usize);
            if memory.read_exact_at(&mut page[..bytes], at).is_ok()
                && page[..bytes].iter().any(|byte| *byte != 0)
            {
                all.extend_from_slice(&page[..bytes]);
            }
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn no_secret_is_in_any_log_output_or_document() {
    let (heard, authority, mut tracker) = (Heard::default(), Authority::new(), Tracker::start_talkative());
    let config = format!(
        "{}ca = \"{}\"\ncertificate_life = \"12 s\"\n",
        authority.tracker("require"),
        authority.dir().display()
    );
    tracker.configure(&config);
    let url = tracker.url();
    let tokens = [&["--uses", "2"][..], &["--node", "web-3"], &["--node", "web-4"]]
        .map(|args| token(&authority, &heard, args));
    let machine = || Daemon::start_on(Ipv4Addr::LOCALHOST.into(), &LOGS_ALL);
    let [a, b, mut c] = [machine(), machine(), machine()];

    // Joins that work, and that do not.
    for (daemon, node) in [(&a, "web-1"), (&b, "web-2")] {
        let joined = heard.command(daemon, &["join", &tokens[0], "--tracker", &url, "--node", node]);
        assert_eq!(joined.code, 0, "{joined:?}");
    }
    refused_joins(&heard, &authority, &c, &tokens, &url);

    // Signed files, renewals, a revocation.
    let sign_with_password = sign(&heard, &a);
    let bytes = content(9800, 2 * MIB);
    a.share_bytes("app", &bytes);
    b.get("app", &bytes);
    wait_until("both have renewed their certificates", CAP, || {
        [&a, &b].iter().all(|daemon| daemon.log().contains("the certificate was renewed"))
    });
    for daemon in [&a, &b, &c] {
        heard.ask_everything(daemon);
    }
    let events = a.ctl_in_background(&["events"]);
    wait_until("it runs", CAP, || !memory(events.id()).is_empty());
    heard.note("the memory of ttctl events", memory(events.id()));
    authority.revoke("web-2");
    b.wait_log("was revoked");
    heard.ask_authority(&authority);
    heard.ask_everything(&b);

    let mut secrets = keys([&a, &b, &c], &authority);
    secrets.extend(tokens.iter().flat_map(|token| Secret::token(token)));
    if sign_with_password {
        secrets.push(Secret { what: "the password".to_owned(), forms: vec![PASSWORD.to_owned()] });
        let key = fs::read_to_string(a.outside().join("locked.key")).unwrap();
        let forms = vec![key.lines().nth(1).unwrap().to_owned()];
        secrets.push(Secret { what: "the signing key".to_owned(), forms });
    }
    c.terminate();
    for (who, log) in [("web-1", a.log()), ("web-2", b.log()), ("whoever did not join", c.log())] {
        assert!(log.contains("TRACE"), "it logs everything");
        heard.note(&format!("the log of {who}"), log);
    }
    heard.note("the log of the tracker", tracker.log());
    // What is looked for would be found.
    let control = Heard::default();
    control.note("a test", format!("x{}y", secrets[1].forms[2]));
    assert!(secrets[1].found(&control).is_some());
    for secret in &secrets {
        assert!(secret.forms.iter().any(|form| form.len() >= 12), "{} is something", secret.what);
        assert_eq!(secret.found(&heard), None);
    }
}

/// The keys of two members, of a machine that did not join, of the authority and of the tracker.
fn keys([a, b, c]: [&Daemon; 3], authority: &Authority) -> Vec<Secret> {
    let own = |daemon: &Daemon, file: &str| daemon.folder().join(".tinytorrent/identity").join(file);
    let files = [
        ("the key of web-1", own(a, "identity.pem")),
        ("the key of web-2", own(b, "identity.pem")),
        ("the key of whoever did not join", own(c, "joining.key")),
        ("the key of the authority", authority.dir().join("ca.key")),
        ("the key of the tracker", authority.dir().join("tracker.pem")),
    ];
    files.iter().flat_map(|(what, file)| Secret::key(what, file)).collect()
}

/// Tries each way in which a token does not count.
fn refused_joins(heard: &Heard, authority: &Authority, c: &Daemon, tokens: &[String; 3], url: &str) {
    let [for_two, unused, revoked] = tokens;
    let id = revoked.split('.').nth(2).unwrap();
    let listed = authority.ok(&["tokens", "--json"]).stdout;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert!(listed.to_string().contains(&id[..8]), "{id}: {listed}");
    authority.ok(&["revoke", "--token", &id[..8]]);
    let swapped = format!("{}.{}", unused.rsplit_once('.').unwrap().0, revoked.rsplit('.').next().unwrap());
    let file = c.outside().join("token");
    fs::write(&file, revoked).unwrap();
    for args in [
        &[for_two.as_str(), "--node", "web-5"][..],        // used up
        &[revoked, "--node", "web-4"],                     // revoked
        &["--token-file", file.to_str().unwrap()],         // the same, out of a file, for another name
        &[&swapped, "--node", "web-3"],                    // with another one's secret
        &[&unused[..unused.len() - 2], "--node", "web-3"], // cut
        &[&unused.to_uppercase(), "--node", "web-9"],      // another name than that of the token
        &[&format!("{unused}x"), "--node", "web-3"],
    ] {
        let refused = heard.command(c, &[&["join", "--tracker", url], args].concat());
        assert_ne!(refused.code, 0, "{args:?}: {refused:?}");
        heard.command(c, &[&["join", "--json", "--tracker", url], args].concat());
    }
    heard.command(c, &["join", unused, "--tracker", "tt://127.0.0.1:1"]);
}

/// Signs with a key that has a password, which is right once and wrong once. Returns whether that is possible here.
fn sign(heard: &Heard, daemon: &Daemon) -> bool {
    let key = daemon.outside().join("locked.key");
    let mut minisign = sealed(Path::new("minisign"), &daemon.outside());
    minisign.current_dir(daemon.outside()).args(["-G", "-p", "locked.pub", "-s", "locked.key"]);
    if with_password(minisign, PASSWORD).is_none_or(|made| made.code != 0) {
        skipped("minisign is missing (apt-get install minisign)");
        return false;
    }
    let path = daemon.outside().join("signed");
    fs::write(&path, content(9801, 5)).unwrap();
    let create =
        [&program("ttctl").display().to_string(), "create", path.to_str().unwrap()].map(str::to_owned);
    let mut created = sealed(Path::new(&create[0]), &daemon.outside());
    created.current_dir(daemon.outside()).args(&create[1..]).args(["--tracker", "tt://127.0.0.1"]);
    let created = run_capped(created, CAP).unwrap();
    assert_eq!(created.code, 0, "{created:?}");
    for (password, code) in [(PASSWORD, 0), ("hunter2 and a quarter", 4)] {
        let args = ["sign", "signed.tinytorrent", "-s", key.to_str().unwrap()];
        let signed = with_password(daemon.ttctl(&args), password).unwrap();
        assert_eq!(signed.code, code, "{signed:?}");
        heard.note("ttctl sign", format!("{}{}", signed.stdout, signed.stderr));
    }
    true
}
