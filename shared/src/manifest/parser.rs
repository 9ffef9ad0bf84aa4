//! Parses a manifest's text line by line, as it arrives. Only valid lines stay in memory.

use super::document::{BadManifest, Manifest, TRACKERS_MAX};
use crate::chunk::{CHUNKS_MAX, ChunkIndex};
use crate::id::{ChunkHash, NotHex, ResourceId};
use crate::name::{BadName, ResourceName};
use crate::url::{BadUrl, TrackerUrl};
use std::fmt;

/// Limits a line in bytes, including its line end. [`TRACKERS_MAX`] URLs of the greatest length need less. A longer
/// line is an error.
pub const LINE_BYTES_MAX: usize = 8192;

impl Manifest {
    /// Parses a complete text. For a text that arrives in parts, see [`Parser`].
    ///
    /// ```
    /// use shared::manifest::Manifest;
    ///
    /// let error = Manifest::parse(b"hello.txt\nno hash").unwrap_err();
    /// assert_eq!(error.to_string(), "line 2: not 64 hexadecimal digits: \"no hash\"");
    /// ```
    pub fn parse(text: &[u8]) -> Result<Manifest, ManifestError> {
        let mut parser = Parser::new();
        parser.feed(text)?;
        parser.finish()
    }
}

/// The line of a text that was refused, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    /// The line, counted from 1.
    pub line: u32,
    /// The reason.
    pub what: BadLine,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for ManifestError {}

/// Why a line of a manifest was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadLine {
    /// The text ends before this line. The field names what the line should contain.
    Missing(&'static str),
    /// The line is longer than [`LINE_BYTES_MAX`] bytes.
    TooLong,
    /// The line is empty.
    Empty,
    /// The text begins with a byte order mark.
    ByteOrderMark,
    /// The line is not UTF-8.
    NotUtf8(Quoted),
    /// Line 1 cannot be a resource's name.
    Name(BadName, Quoted),
    /// Line 2 or a line from 4 on is not a hash.
    NotHex(NotHex, Quoted),
    /// Line 3 has spaces at its ends, or more than one space between two URLs.
    Spaces(Quoted),
    /// Line 3 contains something that is not a tracker's URL.
    Url(BadUrl, Quoted),
    /// The line is well formed, but does not fit the others.
    Unfit(BadManifest),
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadLine::Missing(what) => write!(f, "missing; expected {what}"),
            BadLine::TooLong => write!(f, "longer than {LINE_BYTES_MAX} bytes"),
            BadLine::Empty => f.write_str("empty line"),
            BadLine::ByteOrderMark => {
                f.write_str("begins with a byte order mark; save the file as UTF-8 without one")
            }
            BadLine::NotUtf8(text) => write!(f, "not UTF-8: {text}"),
            BadLine::Name(why, text) => write!(f, "{why}: {text}"),
            BadLine::NotHex(why, text) => write!(f, "{why}: {text}"),
            BadLine::Spaces(text) => {
                write!(f, "trackers are separated by one space, with none at the ends: {text}")
            }
            BadLine::Url(why, text) => write!(f, "{why}: {text}"),
            BadLine::Unfit(why) => why.fmt(f),
        }
    }
}

/// A stranger's text made safe for a terminal: shortened, quoted, with control characters escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted(String);

impl Quoted {
    /// Quotes the first 40 characters of a text.
    ///
    /// ```
    /// use shared::manifest::Quoted;
    ///
    /// assert_eq!(Quoted::new(b"\x1b[31mred").to_string(), r#""\u{1b}[31mred""#);
    /// assert_eq!(Quoted::new(&[b'x'; 99]).to_string(), format!("\"{}…\"", "x".repeat(40)));
    /// ```
    pub fn new(text: &[u8]) -> Quoted {
        const CHARS_MAX: usize = 40;
        // A character has at most 4 bytes, so this is enough for 41 characters. The rest of a long line is not read.
        let head = &text[..text.len().min(CHARS_MAX * 4 + 4)];
        let head = String::from_utf8_lossy(head);
        let mut quoted: String = head.chars().take(CHARS_MAX).flat_map(char::escape_debug).collect();
        if head.chars().nth(CHARS_MAX).is_some() {
            quoted.push('…');
        }
        Quoted(quoted)
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// Parses a manifest's text as it arrives.
///
/// It also accepts CRLF, a missing final line end and upper-case digits. The result does not depend on how the text is
/// split into parts. After an error every call returns the same error.
///
/// ```
/// use shared::manifest::Parser;
///
/// let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
/// let mut parser = Parser::new();
/// for part in ["hello", ".txt\r\n", hash, "\ntt://tracker.exa", "mple\n", hash] {
///     parser.feed(part.as_bytes()).unwrap();
/// }
/// assert_eq!(parser.finish().unwrap().name().as_str(), "hello.txt");
/// ```
#[derive(Debug, Default)]
pub struct Parser {
    /// The beginning of the line that is not complete yet; at most [`LINE_BYTES_MAX`] bytes.
    rest: Vec<u8>,
    /// The number of lines read so far.
    lines: u32,
    name: Option<ResourceName>,
    resource: Option<ResourceId>,
    trackers: Vec<TrackerUrl>,
    hashes: Vec<ChunkHash>,
    failed: Option<ManifestError>,
}

impl Parser {
    /// A parser at the beginning of a text.
    pub fn new() -> Parser {
        Parser::default()
    }

    /// Parses the next bytes of the text.
    ///
    /// # Errors
    ///
    /// When a line is not valid. Every later call returns the same error.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), ManifestError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.feed_lines(bytes)
            .map_err(|what| self.failed.insert(ManifestError { line: self.lines + 1, what }).clone())
    }

    /// Ends the text, and returns the manifest.
    ///
    /// # Errors
    ///
    /// When a line is not valid or missing, or the lines do not fit together.
    pub fn finish(mut self) -> Result<Manifest, ManifestError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let rest = std::mem::take(&mut self.rest);
        if !rest.is_empty() {
            self.line(&rest).map_err(|what| ManifestError { line: self.lines + 1, what })?;
        }
        let missing = |line, what| ManifestError { line, what: BadLine::Missing(what) };
        let name = self.name.ok_or(missing(1, "the file's name"))?;
        let resource = self.resource.ok_or(missing(2, "the file's SHA-256"))?;
        if self.trackers.is_empty() {
            return Err(missing(3, "a tracker's URL"));
        }
        self.hashes.shrink_to_fit();
        Manifest::new(name, resource, self.trackers, self.hashes).map_err(|why| {
            let line = match why {
                BadManifest::NoTracker | BadManifest::TooManyTrackers => 3,
                BadManifest::NoChunks | BadManifest::ChunksOfNothing => 2,
                BadManifest::OneChunk => 4,
                BadManifest::EmptyChunk(ChunkIndex(index)) => index + 4,
                BadManifest::TooManyChunks => CHUNKS_MAX + 4,
            };
            ManifestError { line, what: BadLine::Unfit(why) }
        })
    }

    /// Parses the lines that end in `bytes`, and keeps the rest.
    fn feed_lines(&mut self, mut bytes: &[u8]) -> Result<(), BadLine> {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (line, after) = (&bytes[..end], &bytes[end + 1..]);
            if self.rest.is_empty() {
                self.ended_line(line)?;
            } else {
                self.keep(line)?;
                let mut whole = std::mem::take(&mut self.rest);
                self.ended_line(&whole)?;
                whole.clear();
                self.rest = whole; // reuse its memory for the next line
            }
            bytes = after;
        }
        self.keep(bytes)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), BadLine> {
        if self.rest.len() + bytes.len() >= LINE_BYTES_MAX {
            return Err(BadLine::TooLong);
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }

    fn ended_line(&mut self, line: &[u8]) -> Result<(), BadLine> {
        if line.len() >= LINE_BYTES_MAX {
            return Err(BadLine::TooLong);
        }
        self.line(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn line(&mut self, line: &[u8]) -> Result<(), BadLine> {
        let quoted = || Quoted::new(line);
        if self.lines == 0 && line.starts_with("\u{feff}".as_bytes()) {
            return Err(BadLine::ByteOrderMark);
        }
        let text = str::from_utf8(line).map_err(|_| BadLine::NotUtf8(quoted()))?;
        if text.is_empty() {
            return Err(BadLine::Empty);
        }
        match self.lines {
            0 => self.name = Some(text.parse().map_err(|why| BadLine::Name(why, quoted()))?),
            1 => self.resource = Some(text.parse().map_err(|why| BadLine::NotHex(why, quoted()))?),
            2 => self.trackers = trackers(text)?,
            _ if self.hashes.len() == CHUNKS_MAX as usize => {
                return Err(BadLine::Unfit(BadManifest::TooManyChunks));
            }
            _ => self.hashes.push(text.parse().map_err(|why| BadLine::NotHex(why, quoted()))?),
        }
        self.lines += 1;
        Ok(())
    }
}

fn trackers(line: &str) -> Result<Vec<TrackerUrl>, BadLine> {
    let mut trackers = Vec::new();
    for url in line.split(' ') {
        if url.is_empty() {
            return Err(BadLine::Spaces(Quoted::new(line.as_bytes())));
        }
        if trackers.len() == TRACKERS_MAX {
            return Err(BadLine::Unfit(BadManifest::TooManyTrackers));
        }
        trackers.push(url.parse().map_err(|why| BadLine::Url(why, Quoted::new(url.as_bytes())))?);
    }
    Ok(trackers)
}
#[cfg(test)]
mod tests {
    use super::super::document::OF_NOTHING;
    use super::*;
    use crate::chunk::ChunkCount;
    use proptest::prelude::*;

    const A: &str = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4f9b9b9f8b9e9b9e9b9e";
    const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// Any valid manifest.
    fn any_manifest() -> impl Strategy<Value = Manifest> {
        let name =
            "[a-zA-Z0-9 ._é模-]{1,60}".prop_filter_map("no name", |text| text.parse::<ResourceName>().ok());
        let url = prop_oneof![
            Just("tt://[::1]:99".to_owned()),
            "tt://[a-z][a-z0-9.-]{0,30}",
            "tt://[a-z]{1,9}:[1-9][0-9]{0,3}",
        ]
        .prop_map(|text| text.parse::<TrackerUrl>().unwrap());
        let trackers = prop::collection::vec(url, 1..=TRACKERS_MAX);
        let hashes = prop::collection::vec(any::<[u8; 32]>(), 0..40);
        (name, any::<[u8; 32]>(), trackers, hashes).prop_map(|(name, id, trackers, hashes)| {
            let id = match hashes.as_slice() {
                [] => OF_NOTHING,
                [only] => *only,
                _ => id,
            };
            let hashes = hashes.into_iter().map(ChunkHash).collect();
            Manifest::new(name, ResourceId(id), trackers, hashes).unwrap()
        })
    }

    fn parse_in_parts(text: &[u8], mut cuts: Vec<usize>) -> Result<Manifest, ManifestError> {
        cuts.iter_mut().for_each(|cut| *cut %= text.len() + 1);
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let mut parser = Parser::new();
        for ends in cuts.windows(2) {
            // A caller that continues after an error must get the same error again.
            let _ = parser.feed(&text[ends[0]..ends[1]]);
        }
        parser.finish()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(manifest in any_manifest()) {
            let text = manifest.to_text();
            prop_assert_eq!(text.len(), manifest.text_bytes());
            prop_assert_eq!(Manifest::parse(text.as_bytes()), Ok(manifest.clone()));
            let (name, hashes) = text.split_once('\n').unwrap();
            let loose = format!("{name}\n{}", hashes.trim_end()).replace('\n', "\r\n");
            prop_assert_eq!(Manifest::parse(loose.as_bytes()), Ok(manifest));
        }

        #[test]
        fn how_the_text_is_cut_makes_no_difference(
            manifest in any_manifest(),
            at in any::<prop::sample::Index>(),
            byte in prop::option::of(any::<u8>()),
            cuts in prop::collection::vec(any::<usize>(), 0..20),
        ) {
            let mut text = manifest.to_text().into_bytes();
            if let Some(byte) = byte {
                let at = at.index(text.len());
                text[at] = byte;
            }
            let whole = Manifest::parse(&text);
            prop_assert_eq!(parse_in_parts(&text, cuts), whole.clone());
            prop_assert_eq!(parse_in_parts(&text, (0..text.len()).collect()), whole);
        }

        #[test]
        fn no_bytes_make_it_panic(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'\r'), Just(b'a')], 0..600),
            cuts in prop::collection::vec(any::<usize>(), 0..5),
        ) {
            let whole = Manifest::parse(&bytes);
            if let Err(error) = &whole {
                prop_assert!(!error.to_string().contains(|c: char| c.is_control()), "{error:?}");
            }
            prop_assert_eq!(parse_in_parts(&bytes, cuts), whole);
        }

        #[test]
        fn whatever_is_read_is_written_in_one_way(manifest in any_manifest(), edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)) {
            let mut text = manifest.to_text().into_bytes();
            for (at, byte) in edits {
                let at = at.index(text.len());
                text[at] = byte;
            }
            if let Ok(read) = Manifest::parse(&text) {
                prop_assert_eq!(Manifest::parse(read.to_text().as_bytes()), Ok(read));
            }
        }
    }

    #[test]
    fn it_says_which_line_is_wrong_and_why() {
        let a = ResourceId::of(b"a").to_string();
        let long = "x".repeat(300);
        let many = vec!["tt://h"; 17].join(" ");
        let cases: &[(&str, &str)] = &[
            ("", "line 1: missing; expected the file's name"),
            ("\n", "line 1: empty line"),
            ("n", "line 2: missing; expected the file's SHA-256"),
            (&format!("n\n{a}\n"), "line 3: missing; expected a tracker's URL"),
            (
                &format!("\u{feff}n\n{a}\ntt://h\n{a}\n"),
                "line 1: begins with a byte order mark; save the file as UTF-8 without one",
            ),
            ("a\0b\n", r#"line 1: the name contains a control character: "a\0b""#),
            ("a/b\n", r#"line 1: the name contains "/" or "\": "a/b""#),
            ("a\rb\n", r#"line 1: the name contains a control character: "a\rb""#),
            (&long, &format!("line 1: the name is longer than 243 bytes: \"{}…\"", "x".repeat(40))),
            (&format!("n\n{}\n", &a[1..]), &format!("line 2: not 64 hexadecimal digits: \"{}…\"", &a[1..41])),
            (
                &format!("n\n{a} \ntt://h\n{a}\n"),
                &format!("line 2: not 64 hexadecimal digits: \"{}…\"", &a[..40]),
            ),
            (&format!("n\n{a}\n\n"), "line 3: empty line"),
            (
                &format!("n\n{a}\ntt://h  tt://i\n"),
                r#"line 3: trackers are separated by one space, with none at the ends: "tt://h  tt://i""#,
            ),
            (
                &format!("n\n{a}\ntt://h \n{a}\n"),
                r#"line 3: trackers are separated by one space, with none at the ends: "tt://h ""#,
            ),
            (
                &format!("n\n{a}\ntt://h\ttt://i\n{a}\n"),
                r#"line 3: the tracker's URL has no valid host; it looks like tt://tracker.example:7986: "tt://h\ttt://i""#,
            ),
            (
                &format!("n\n{a}\ntt://h http://i\n{a}\n"),
                r#"line 3: a tracker's URL begins with "tt://", as in tt://tracker.example:7986: "http://i""#,
            ),
            (&format!("n\n{a}\n{many}\n{a}\n"), "line 3: more than 16 trackers"),
            (&format!("n\n{a}\ntt://h\n{a}\n\n"), "line 5: empty line"),
            (
                &format!("n\n{a}\ntt://h\n{a}\nrubbish\x1b[2J"),
                r#"line 5: not 64 hexadecimal digits: "rubbish\u{1b}[2J""#,
            ),
            (
                &format!("n\n{a}\ntt://h\n{a}\r"),
                &format!("line 4: not 64 hexadecimal digits: \"{}…\"", &a[..40]),
            ),
            (
                &format!("n\n{a}\ntt://h\n"),
                "line 2: no chunks are listed, but this is not the SHA-256 of an empty file",
            ),
            (
                &format!("n\n{NOTHING}\ntt://h\n{a}\n"),
                "line 2: this is the SHA-256 of an empty file, but chunks are listed",
            ),
            (
                &format!("n\n{A}\ntt://h\n{a}\n"),
                "line 4: the SHA-256 of the only chunk differs from that of the file",
            ),
            (
                &format!("n\n{A}\ntt://h\n{a}\n{NOTHING}\n"),
                "line 5: chunk 1 has the SHA-256 of no data, but every chunk has at least 1 byte",
            ),
        ];
        for (text, message) in cases {
            assert_eq!(Manifest::parse(text.as_bytes()).unwrap_err().to_string(), *message, "{text:?}");
        }
    }

    #[test]
    fn a_line_that_is_not_utf8_is_shown_as_far_as_it_can_be() {
        let error = Manifest::parse(b"caf\xe9\n").unwrap_err();
        assert_eq!(error.to_string(), "line 1: not UTF-8: \"caf\u{fffd}\"");
    }

    #[test]
    fn an_empty_resource_has_three_lines() {
        let text = format!("empty\n{NOTHING}\ntt://h\n");
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        assert_eq!((manifest.count(), manifest.to_text()), (ChunkCount::new(0).unwrap(), text));
    }

    #[test]
    fn upper_case_is_read_and_lower_case_written() {
        let a = ResourceId::of(b"a").to_string();
        let text = format!("n\n{a}\ntt://h tt://i:1\n{a}\n");
        let loud = format!("n\n{0}\ntt://h tt://i:1\n{0}\n", a.to_uppercase());
        assert_eq!(Manifest::parse(loud.as_bytes()).unwrap().to_text(), text);
    }

    #[test]
    fn a_line_without_an_end_is_not_kept() {
        let mut parser = Parser::new();
        let error = (0..100).find_map(|_| parser.feed(&[b'x'; 1000]).err()).unwrap();
        assert_eq!(error.to_string(), "line 1: longer than 8192 bytes");
        assert!(parser.rest.capacity() <= 2 * LINE_BYTES_MAX);
        assert_eq!(parser.feed(b"\nmore\n"), Err(error));
    }

    #[test]
    fn the_longest_tracker_line_is_read() {
        let url = format!("tt://{}:65535/", "h".repeat(253));
        let trackers = vec![url.parse().unwrap(); TRACKERS_MAX];
        let hash = ChunkHash::of(b"a");
        let manifest = Manifest::new("n".parse().unwrap(), ResourceId(hash.0), trackers, vec![hash]).unwrap();
        assert_eq!(Manifest::parse(manifest.to_text().as_bytes()), Ok(manifest));
    }

    #[test]
    fn the_largest_manifest_is_read_and_one_chunk_more_is_refused() {
        let hash = ChunkHash([7; 32]).to_string() + "\n";
        let mut parser = Parser::new();
        parser.feed(format!("n\n{A}\ntt://h\n").as_bytes()).unwrap();
        let thousand = hash.repeat(1024);
        for _ in 0..CHUNKS_MAX / 1024 {
            parser.feed(thousand.as_bytes()).unwrap();
        }
        assert_eq!(parser.hashes.len(), CHUNKS_MAX as usize);
        let error = parser.feed(hash.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "line 4194308: more than 4194304 chunks");
    }
}
