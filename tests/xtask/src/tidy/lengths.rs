//! Finds files and functions that are too long to be read at once.

use super::finding::Finding;
use super::functions::Function;
use super::source::Source;

/// The most lines of a file; more are a finding.
const FILE_LINES_MAX: usize = 500;

/// The most lines of a function, from its `fn` to its closing brace; more are a finding.
const FUNCTION_LINES_MAX: usize = 70;

/// The finding if a file is too long.
pub(super) fn file(source: &Source) -> Option<Finding> {
    (source.lines > FILE_LINES_MAX).then(|| Finding {
        place: format!("{}:{}", source.path, FILE_LINES_MAX + 1),
        what: format!("the file has {} lines, more than {FILE_LINES_MAX}", source.lines),
        details: Vec::new(),
        remedy: "find its second subject and move that to a file of its own".to_owned(),
    })
}

/// The functions of a file that are too long.
pub(super) fn functions(source: &Source, functions: &[Function]) -> Vec<Finding> {
    let lines = |function: &Function| function.last - function.first + 1;
    let long = functions.iter().filter(|function| lines(function) > FUNCTION_LINES_MAX);
    long.map(|function| Finding {
        place: format!("{}:{}", source.path, function.first),
        what: format!("{} has {} lines, more than {FUNCTION_LINES_MAX}", function.name, lines(function)),
        details: Vec::new(),
        remedy: "move its steps to functions of their own; it then only decides which of them to call"
            .to_owned(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::functions;
    use super::*;

    #[test]
    fn a_file_of_501_lines_is_too_long() {
        let text = |lines| "// a line\n".repeat(lines);
        assert_eq!(file(&Source::of("a.rs", &text(500)).unwrap()), None);
        let found = file(&Source::of("a.rs", &text(501)).unwrap()).unwrap();
        assert_eq!((found.place.as_str(), found.what.contains("501 lines")), ("a.rs:501", true));
    }

    #[test]
    fn a_function_of_71_lines_is_too_long_wherever_it_is() {
        let body = |lines: usize| format!("fn long()\n{{{}}}", "\n".repeat(lines - 2));
        for (before, after) in [
            ("", ""),
            ("impl A {", "}"),
            ("trait A { fn short();", "}"),
            ("fn outer() { inner(|| {", "}); }"),
            ("#[cfg(test)] mod tests {", "}"),
            ("proptest! {", "}"),
            ("macro_rules! m { () => {", "} }"),
        ] {
            let found = |lines| {
                let source = Source::of("a.rs", &format!("\n{before}{}{after}", body(lines))).unwrap();
                super::functions(&source, &functions::of(&source))
            };
            assert_eq!(
                found(70).iter().filter(|finding| finding.what.starts_with("long")).count(),
                0,
                "{before}"
            );
            let found = found(71);
            let named = found.iter().find(|finding| finding.what.starts_with("long has 71 lines")).unwrap();
            assert_eq!(named.place, "a.rs:2");
        }
    }
}
