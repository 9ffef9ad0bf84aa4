//! Fetches manifests from a server that answers differently for each path.

use super::*;
use shared::id::{ChunkHash, ResourceId};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

/// It is not one of this manifest, which nobody finds out here.
const SIGNATURE: &str = "untrusted comment: signature from minisign secret key\n\
    RUTnOD6m9zm632ME3utFThhTQXKmv7BIo0BRsjrnnYuL0TYCb8Ycn0KKqmeKEN42gOxmq0MacRKwxtAcxdEbuIbpVKhC4xMEAA0=\n\
    trusted comment: timestamp:1795740186\tfile:hello.txt.tinytorrent\thashed\n\
    jyQNybLAKIi4twM/vmuODN+ZlDdkYb5g0x+SIaX3h+yvWhTJNMzsZ6sogJY6IiBb8IOgaLACEeati9FZRUsECQ==\n";

fn manifest() -> Manifest {
    let trackers = vec!["tt://tracker.example".parse().unwrap()];
    let hashes = vec![ChunkHash::of(b"x")];
    Manifest::new("x".parse().unwrap(), ResourceId::of(b"x"), trackers, hashes).unwrap()
}

/// Starts a server on loopback that runs until the test ends. Returns the address of its root.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let root = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || drop(answer(stream.unwrap())));
        }
    });
    root
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut request = String::new();
    let mut lines = BufReader::new(stream.try_clone()?);
    while lines.read_line(&mut request)? > 2 {}
    let path = request.split(' ').nth(1).unwrap_or("").to_owned();
    let mut say = |text: &str| stream.write_all(text.as_bytes());
    let page = |text: &str| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len())
    };
    match path.as_str() {
        "/x.tinytorrent" | "/signed.tinytorrent" | "/query.tinytorrent?token=1" | "/damaged" | "/kind" => {
            say(&page(&manifest().to_text()))
        }
        "/signed.tinytorrent.minisig" | "/query.tinytorrent.minisig?token=1" => say(&page(SIGNATURE)),
        "/damaged.minisig" => say(&page(&SIGNATURE[..200])),
        "/kind.minisig" => say(&page("<html><body>This page does not exist</body></html>\n")),
        "/moved" => say("HTTP/1.1 302 Found\r\nLocation: /x.tinytorrent\r\nContent-Length: 0\r\n\r\n"),
        "/round" => say("HTTP/1.1 302 Found\r\nLocation: /round\r\nContent-Length: 0\r\n\r\n"),
        "/page" => say(&page("<html><body>Welcome</body></html>\n")),
        "/half" => say(&page(&manifest().to_text())[..120]),
        "/endless" => {
            say("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            loop {
                say(&"x".repeat(64 << 10))?;
            }
        }
        "/silent" => loop {
            std::thread::park(); // until the test's process ends
        },
        "/drip" => {
            say(&format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", manifest().to_text()))?;
            loop {
                std::thread::park_timeout(Duration::from_millis(20));
                say(&format!("{}\n", ResourceId::of(b"x")))?;
            }
        }
        "/header" => loop {
            say(&format!("HTTP/1.1 200 OK\r\nX: {}\r\n", "x".repeat(1 << 20)))?;
        },
        "/busy" => say("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"),
        "/login" => say("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"),
        _ => say("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    }
}

fn fails(url: &str) -> (u8, String) {
    let error = fetch_now(url, Duration::from_millis(500)).expect_err(url);
    (error.exit_code(), error.message)
}

#[test]
fn a_manifest_is_fetched_also_where_it_has_moved_to() {
    let root = server();
    for path in ["/x.tinytorrent", "/moved"] {
        let (fetched, signature) = fetch_now(&format!("{root}{path}"), FETCH_TIMEOUT).unwrap();
        assert_eq!((fetched.to_text(), signature), (manifest().to_text(), None));
    }
}

#[test]
fn the_signature_beside_a_manifest_comes_with_it() {
    let root = server();
    let fetched = |path: &str| fetch_now(&format!("{root}{path}"), FETCH_TIMEOUT);
    for path in ["/signed.tinytorrent", "/query.tinytorrent?token=1"] {
        let signature = fetched(path).unwrap().1;
        assert_eq!(signature.unwrap().as_str(), SIGNATURE, "{path}");
    }
    assert_eq!(fetched("/kind").unwrap().1, None, "a page for everything is no signature");
    let (code, message) = fails(&format!("{root}/damaged"));
    assert!(code == 6 && message.contains("/damaged.minisig: the signature"), "{code} {message}");
}

#[test]
fn what_cannot_be_had_is_told() {
    let root = server();
    let fails = |path: &str| fails(&format!("{root}{path}"));
    assert_eq!(fails("/none"), (4, format!("cannot fetch {root}/none: not found on the server (404)")));
    assert_eq!(fails("/login").0, 4);
    assert_eq!(fails("/round"), (4, format!("cannot fetch {root}/round: redirected more than 5 times")));
    assert_eq!(fails("/half").0, 8, "it ends before its end");
    assert_eq!(
        fails("/busy"),
        (8, format!("cannot fetch {root}/busy: the server responded with status 503"))
    );
}

#[test]
fn a_server_that_is_slow_or_has_no_end_is_left() {
    let root = server();
    let fails = |path: &str| fails(&format!("{root}{path}"));
    let late = |path: &str| (5, format!("cannot fetch {root}{path}: took longer than 0.5 s"));
    assert_eq!(fails("/silent"), late("/silent"));
    assert_eq!(fails("/drip"), late("/drip"));
    let (code, message) = fails("/endless");
    assert_eq!(code, 6, "{message}");
    assert_eq!(fails("/header").0, 4);
}

#[test]
fn what_is_no_manifest_is_bad_data() {
    let root = server();
    let (code, message) = fails(&format!("{root}/page"));
    assert_eq!(code, 6);
    assert!(message.starts_with(&format!("{root}/page: line ")), "{message}");
}

#[test]
fn nobody_there_and_no_address() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/x");
    assert_eq!(fails(&url), (8, format!("cannot fetch {url}: connection refused")));
    for url in ["http://", "http:///x", "https://[::1/x"] {
        assert!([2, 4, 8].contains(&fails(url).0), "{url}");
    }
}

#[test]
fn passwords_are_not_shown() {
    assert_eq!(shown("https://me:secret@h:9/a/b.tinytorrent?token=1#x"), "https://h:9/a/b.tinytorrent");
    assert_eq!(shown("http://h"), "http://h/");
}

#[tokio::test]
async fn only_a_timeout_that_was_asked_for_is_one() {
    let url = format!("{}/silent", server());
    let asked = fetch(&url, Some(Duration::from_millis(200))).await.unwrap_err();
    assert_eq!(asked.exit_code(), 5, "{}", asked.message);
}
