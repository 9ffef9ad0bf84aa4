//! Fetches a manifest over HTTP or HTTPS, for `ttctl get http://…`. The response is not trusted until it is parsed: its
//! size, time and redirects are bounded, and it is parsed as it arrives instead of being kept in memory.

use crate::error::{Error, Kind};
use crate::human;
use shared::manifest::{Manifest, Parser};
use shared::name::SIGNATURE_SUFFIX;
use shared::signature::{SIGNATURE_BYTES_MAX, SignatureText};
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, Instant};
use ureq::Body;
use ureq::http::Response;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// Limits the bytes that are read of a response; more is an error. The largest manifest, with CRLF line ends, is a
/// little smaller.
const BODY_BYTES_MAX: u64 = 288 << 20;

/// Limits the bytes of a response's header; more is an error. Servers send a few hundred.
const HEADER_BYTES_MAX: usize = 64 << 10;

/// Limits the redirects that are followed; more are an error, since they probably form a circle.
const REDIRECTS_MAX: u32 = 5;

/// How long the whole fetch may take, with all redirects; beyond it the command fails with exit code 5. A large
/// manifest over a slow link takes less.
const FETCH_TIMEOUT: Duration = Duration::from_secs(120);

/// The places of a system's trusted certificates. The first that exists is used.
const CERTIFICATES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A manifest, and its signature if there is one.
pub(crate) type Signed = (Manifest, Option<SignatureText>);

/// Fetches and parses the manifest at `url` and the signature beside it, within two minutes, or within `timeout` if that is
/// shorter.
///
/// # Errors
/// `TimedOut` if it took longer than `timeout`, `Unreachable` if trying again may help, `BadData` if the response is
/// not a manifest, `Refused` if the server refuses it.
pub(crate) async fn fetch(url: &str, timeout: Option<Duration>) -> Result<Signed, Error> {
    let longest = timeout.map_or(FETCH_TIMEOUT, |timeout| timeout.min(FETCH_TIMEOUT));
    let url = url.to_owned();
    let fetched = tokio::task::spawn_blocking(move || fetch_now(&url, longest))
        .await
        .map_err(|error| Error::internal(error.to_string()))?;
    fetched.map_err(|error| match error.kind {
        // The user set no shorter timeout, so the fault is the server's.
        Kind::TimedOut if timeout != Some(longest) => Error { kind: Kind::Unreachable, ..error },
        _ => error,
    })
}

fn fetch_now(url: &str, timeout: Duration) -> Result<Signed, Error> {
    let begin = Instant::now();
    let is_https = url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    let mut config = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(REDIRECTS_MAX)
        .https_only(is_https) // no redirect from https to http
        .max_response_header_size(HEADER_BYTES_MAX)
        .max_idle_connections(0) // a server may close a kept connection just when the next request is sent
        .user_agent(concat!("ttctl/", env!("CARGO_PKG_VERSION")));
    if is_https {
        config = config.tls_config(TlsConfig::builder().root_certs(trusted()?).build());
    }
    let agent = ureq::Agent::new_with_config(config.build());
    let shown = shown(url);
    let response = agent.get(url).call().map_err(|error| failed(&shown, timeout, error))?;
    let manifest = manifest_of(response, &shown, timeout)?;
    let signature = signature(&agent, url, timeout.saturating_sub(begin.elapsed()))?;
    Ok((manifest, signature))
}

/// Reads a response to its end.
fn manifest_of(response: Response<Body>, shown: &str, timeout: Duration) -> Result<Manifest, Error> {
    let mut body = response.into_body().into_with_config().limit(BODY_BYTES_MAX).reader();
    let mut parser = Parser::new();
    let mut buffer = vec![0; 64 << 10];
    let bad = |error| {
        Error::bad_data(format!("{shown}: {error}"))
            .hint("this is not a manifest; the address should end in .tinytorrent")
    };
    loop {
        match body.read(&mut buffer) {
            Ok(0) => return parser.finish().map_err(bad),
            Ok(bytes) => parser.feed(&buffer[..bytes]).map_err(bad)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(failed(shown, timeout, error.into())),
        }
    }
}

/// Fetches the signature beside a manifest. A server that does not have it, or does not say whether it has it, makes the
/// manifest one without a signature; so does one that answers with a page of its own.
fn signature(agent: &ureq::Agent, url: &str, timeout: Duration) -> Result<Option<SignatureText>, Error> {
    let url = beside(url);
    let shown = shown(&url);
    let failed = |error| failed(&shown, timeout, error);
    let request = agent.get(&url).config().timeout_global(Some(timeout)).build();
    let response = match request.call() {
        Ok(response) => response,
        Err(ureq::Error::StatusCode(401 | 403 | 404 | 410)) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    let body = response.into_body().into_reader().take(SIGNATURE_BYTES_MAX as u64 + 1);
    { body }.read_to_end(&mut bytes).map_err(|error| failed(error.into()))?;
    if !bytes.starts_with(b"untrusted comment:") {
        return Ok(None);
    }
    SignatureText::of_bytes(&bytes).map(Some).map_err(|why| Error::bad_data(format!("{shown}: {why}")))
}

/// The address of the signature of the manifest at this address.
fn beside(url: &str) -> String {
    let (path, rest) = url.split_at(url.find(['?', '#']).unwrap_or(url.len()));
    format!("{path}{SIGNATURE_SUFFIX}{rest}")
}

/// The machine's own certificates, which may include a company's. If there are none, those that browsers trust.
fn trusted() -> Result<RootCerts, Error> {
    let named = std::env::var_os("SSL_CERT_FILE").filter(|file| !file.is_empty());
    let usual = || CERTIFICATES.iter().map(Path::new).find(|path| path.exists());
    let Some(path) = named.as_deref().map(Path::new).or_else(usual) else { return Ok(RootCerts::WebPki) };
    let failed =
        |why: String| Error::refused(format!("cannot read the certificates in {}: {why}", path.display()));
    let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| failed(error.to_string()))? {
            certificates.push(certificate);
        }
    }
    match certificates.is_empty() {
        true => Err(failed("the file has no certificates".to_owned())),
        false => Ok(certificates.into()),
    }
}

fn failed(shown: &str, timeout: Duration, error: ureq::Error) -> Error {
    let what = format!("cannot fetch {shown}");
    match error {
        ureq::Error::Timeout(_) => {
            Error::new(Kind::TimedOut, format!("{what}: took longer than {}", human::duration(timeout)))
        }
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
            Error::new(Kind::TimedOut, format!("{what}: took longer than {}", human::duration(timeout)))
        }
        ureq::Error::StatusCode(code @ (404 | 410)) => {
            Error::refused(format!("{what}: not found on the server ({code})"))
        }
        ureq::Error::StatusCode(code @ (401 | 403)) => Error::refused(format!(
            "{what}: the server denies access ({code})"
        ))
        .hint("download it with a tool that can log in, and give the path of the .tinytorrent file instead"),
        ureq::Error::StatusCode(code @ (429 | 500..)) => {
            Error::unreachable(format!("{what}: the server responded with status {code}"))
                .hint("try again in a moment")
        }
        ureq::Error::StatusCode(code) => {
            Error::refused(format!("{what}: the server responded with status {code}"))
        }
        ureq::Error::TooManyRedirects => {
            Error::refused(format!("{what}: redirected more than {REDIRECTS_MAX} times"))
        }
        ureq::Error::RequireHttpsOnly(_) => {
            Error::refused(format!("{what}: the server redirects to a URL without https"))
        }
        ureq::Error::HostNotFound => Error::unreachable(format!("{what}: no such host")),
        ureq::Error::ConnectionFailed => Error::unreachable(format!("{what}: the connection failed")),
        ureq::Error::BadUri(why) => Error::usage(format!("{what}: {why}")),
        ureq::Error::BodyExceedsLimit(_) => Error::bad_data(format!("{what}: too large for a manifest")),
        ureq::Error::Io(error) => {
            let error = Error::io(what, &error).message;
            match error.contains("certificate") {
                true => Error::refused(error).hint(
                    "install the server's certificate on this machine, or name its file in $SSL_CERT_FILE",
                ),
                false => Error::unreachable(error),
            }
        }
        error => Error::refused(format!("{what}: {error}")),
    }
}

/// The address without user name, password and query, which do not belong in a log.
fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    human::clean(&format!("{scheme}://{host}/{path}"))
}

#[cfg(test)]
#[path = "fetch_url_tests.rs"]
mod tests;
