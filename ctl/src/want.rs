//! Parses the WHAT of `ttctl get WHAT`.

use crate::error::Error;
use percent_encoding::percent_decode_str;
use shared::id::ResourceId;
use shared::name::{MANIFEST_SUFFIX, ResourceName};
use shared::rpc::control::GetWhat;
use shared::url::TrackerUrl;
use std::path::PathBuf;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Want {
    /// The resource of the manifest at this path.
    Manifest(PathBuf),
    /// The resource of the manifest at this http(s) address.
    Url(String),
    /// A resource that is looked up in a catalogue.
    Catalogue(GetWhat),
}

impl Want {
    /// Parses WHAT.
    pub(crate) fn parse(what: &str) -> Result<Want, Error> {
        let scheme = what.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("tt") => in_catalogue_of(&what["tt://".len()..], what),
            Some("http" | "https") => Ok(Want::Url(what.to_owned())),
            Some(scheme) if scheme.chars().all(|char| char.is_ascii_alphanumeric()) && !scheme.is_empty() => {
                Err(Error::usage(format!("{what}: unknown scheme {scheme}://"))
                    .hint("use tt://HOST:PORT/NAME, an address with http:// or https://, a path or a name"))
            }
            _ if what.contains('/') || what.ends_with(MANIFEST_SUFFIX) => Ok(Want::Manifest(what.into())),
            _ => by_name_or_id(what, None, what).map(Want::Catalogue),
        }
    }
}

fn in_catalogue_of(rest: &str, what: &str) -> Result<Want, Error> {
    let (host, name) = rest.split_once('/').unwrap_or((rest, ""));
    let tracker: TrackerUrl =
        format!("tt://{host}").parse().map_err(|why| Error::usage(format!("{what}: {why}")))?;
    if name.is_empty() {
        return Err(Error::usage(format!("{what}: the name or id is missing"))
            .hint(format!("use {tracker}/NAME; `ttctl tracker list --tracker {tracker}` shows the names")));
    }
    let name = percent_decode_str(name)
        .decode_utf8()
        .map_err(|_| Error::usage(format!("{what}: the name is not percent-encoded UTF-8")))?;
    by_name_or_id(&name, Some(tracker), what).map(Want::Catalogue)
}

fn by_name_or_id(name: &str, tracker: Option<TrackerUrl>, what: &str) -> Result<GetWhat, Error> {
    if let Ok(resource) = name.parse::<ResourceId>() {
        return Ok(GetWhat::Resource { resource, tracker });
    }
    let name: ResourceName = name.parse().map_err(|why| {
        Error::usage(format!("\"{what}\": {why}")).hint("`ttctl get --help` shows what can be fetched")
    })?;
    Ok(GetWhat::Name { name, tracker })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str, tracker: Option<&str>) -> Want {
        let tracker = tracker.map(|url| url.parse().unwrap());
        Want::Catalogue(GetWhat::Name { name: name.parse().unwrap(), tracker })
    }

    #[test]
    fn each_form_is_known_by_its_look() {
        let id = ResourceId::of(b"x");
        let resource = |tracker: Option<&str>| {
            let tracker = tracker.map(|url| url.parse().unwrap());
            Want::Catalogue(GetWhat::Resource { resource: id, tracker })
        };
        let cases = [
            ("./x".to_owned(), Want::Manifest("./x".into())),
            ("x.tinytorrent".into(), Want::Manifest("x.tinytorrent".into())),
            ("/a://b".into(), Want::Manifest("/a://b".into())),
            ("x".into(), name("x", None)),
            ("a b".into(), name("a b", None)),
            (id.to_string(), resource(None)),
            (id.to_string().to_uppercase(), resource(None)),
            ("http://h/x.tinytorrent".into(), Want::Url("http://h/x.tinytorrent".into())),
            ("HTTPS://h/x".into(), Want::Url("HTTPS://h/x".into())),
            ("tt://h/x".into(), name("x", Some("tt://h"))),
            ("TT://h:9/x".into(), name("x", Some("tt://h:9"))),
            ("tt://[::1]:9/a%20b%25".into(), name("a b%", Some("tt://[::1]:9"))),
            (format!("tt://h/{id}"), resource(Some("tt://h"))),
        ];
        for (what, want) in cases {
            assert_eq!(Want::parse(&what), Ok(want), "{what}");
        }
    }

    #[test]
    fn the_rest_is_wrong_usage() {
        for what in [
            "",
            "..",
            "a\\b",
            "ftp://h/x",
            "tt://",
            "tt://h",
            "tt://h/",
            "tt://h/a/b",
            "tt://h/a%2Fb",
            "tt://h/%ff",
            "tt://h:0/x",
        ] {
            assert_eq!(Want::parse(what).map_err(|error| error.exit_code()), Err(2), "{what}");
        }
    }
}
