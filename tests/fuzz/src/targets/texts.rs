//! Short texts: manifests, names, URLs, units, and the have map.

use super::text::{check_shown, text};
use shared::chunk::{CHUNKS_MAX, ChunkCount, ChunkIndex};
use shared::have::HaveMap;
use shared::host::config::{ByteSize, FileMode, GroupName, ListenAddr, Rate, RateLimit, Span, Zone};
use shared::host::logging::{LogFilter, LogFormat};
use shared::id::{PeerId, ResourceId};
use shared::manifest::{Manifest, Parser};
use shared::name::{NAME_BYTES_MAX, ResourceName};
use shared::url::TrackerUrl;
use std::fmt::{Debug, Display};
use std::str::FromStr;

/// The first byte says where the text is cut: the result must not depend on it, and a manifest that is written must be
/// read as the same.
pub fn manifest(bytes: &[u8]) {
    let Some((&cut, text)) = bytes.split_first() else { return };
    let whole = Manifest::parse(text);
    let mut parser = Parser::new();
    text.chunks(usize::from(cut) + 1).for_each(|part| _ = parser.feed(part));
    assert_eq!(parser.finish(), whole);
    match whole {
        Ok(manifest) => {
            assert_eq!(Manifest::parse(manifest.to_text().as_bytes()).as_ref(), Ok(&manifest));
            assert_eq!(manifest.text_bytes(), manifest.to_text().len());
        }
        Err(error) => check_shown(&error),
    }
}

/// The first four bytes are the number of chunks.
pub fn have_map(bytes: &[u8]) {
    let Some((&count, map)) = bytes.split_first_chunk() else { return };
    let count = u32::from_le_bytes(count);
    let Some(count) = ChunkCount::new(count) else {
        return assert!(count > CHUNKS_MAX);
    };
    let Some(mut have) = HaveMap::from_bytes(count, map) else { return };
    assert_eq!(have.to_bytes(), map);
    assert_eq!(have.iter().count() as u32, have.len());
    assert_eq!(have.missing_from(ChunkIndex(0)).count() as u32, count.get() - have.len());
    assert_eq!(have.is_full(), have.first_missing().is_none());
    if let Some(index) = have.first_missing() {
        assert!(have.insert(index) && have.contains(index) && have.remove(index));
    }
    assert_eq!(HaveMap::from_bytes(count, &have.to_bytes()), Some(have));
}

/// A name must be one component of a path and none of our own files.
pub fn name(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    match text.parse::<ResourceName>() {
        Ok(name) => {
            let path = std::path::Path::new(name.as_str());
            assert_eq!(path.file_name(), Some(path.as_os_str()), "{name:?} is more than a file's name");
            assert!(text.len() <= NAME_BYTES_MAX && !text.starts_with(".tinytorrent"));
            assert_eq!(name.as_str(), text);
            check_shown(&name);
            assert!(name.manifest_name().parse::<ResourceName>().is_err());
        }
        Err(error) => check_shown(&error),
    }
    let _ = text.parse::<Zone>().map(|zone| check_shown(&zone));
    let _ = text.parse::<GroupName>().map(|group| check_shown(&group));
}

/// A tracker's URL.
pub fn url(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    match text.parse::<TrackerUrl>() {
        Ok(url) => {
            assert!(url.port() > 0 && !url.host().is_empty() && url.host().len() <= 253);
            assert!(!text.contains(['@', '?', '#', ' ']), "{text:?}");
            assert_eq!(url.as_str(), text);
            let _ = url.is_loopback();
            check_shown(&url);
        }
        Err(error) => check_shown(&error),
    }
}

/// Values with units, and values on command lines.
pub fn units(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    reads_back::<Rate>(text);
    reads_back::<RateLimit>(text);
    reads_back::<ByteSize>(text);
    reads_back::<Span>(text);
    reads_back::<FileMode>(text);
    reads_back::<ListenAddr>(text);
    reads_back::<LogFormat>(text);
    reads_back::<LogFilter>(text);
    reads_back::<ResourceId>(text);
    let _ = text.parse::<PeerId>();
}

fn reads_back<T: FromStr<Err: Display> + Display + Debug + PartialEq>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => assert_eq!(value.to_string().parse::<T>().ok().as_ref(), Some(&value), "{text:?}"),
        Err(error) => check_shown(&error),
    }
}

/// A stranger's text must stay on its line, in a log and at a terminal.
pub fn shown(bytes: &[u8]) {
    let event = [bytes, b"\n"].concat();
    let line = shared::host::logging::fuzz(&event);
    let (end, line) = line.split_last().expect("it has a line end");
    assert!(*end == b'\n' && !line.iter().any(u8::is_ascii_control));
    if let Some(text) = text(bytes) {
        check_shown(&std::str::from_utf8(line).expect("text stays text"));
        check_shown(&ctl::human::clean(text));
    }
}

/// What `ttctl get` is asked for.
pub fn what(bytes: &[u8]) {
    text(bytes).map(ctl::fuzz::what);
}
