//! The text that a command's help has after its options, in parts that a page fills again: a line of `--help` is wider
//! than a line of a page, which is indented.

/// A part of such a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Running text.
    Paragraph(String),
    /// A word, and what it means.
    Term(String, String),
    /// One of a list.
    Item(String),
}

/// The parts of a text. A line that begins with two blanks is an item, or a term if two blanks follow later; one with
/// more blanks continues it.
pub(crate) fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for block in text.split("\n\n") {
        let mut of_block: Vec<Part> = Vec::new();
        for line in block.lines() {
            let words = line.trim_start();
            let last = of_block.last_mut();
            match (line.len() - words.len(), last) {
                (0, Some(Part::Paragraph(text))) => continues(text, words),
                (3.., Some(Part::Term(_, text) | Part::Item(text))) => continues(text, words),
                (0, _) => of_block.push(Part::Paragraph(words.to_owned())),
                _ => of_block.push(match words.split_once("  ") {
                    Some((term, meaning)) => Part::Term(term.to_owned(), meaning.trim_start().to_owned()),
                    None => Part::Item(words.to_owned()),
                }),
            }
        }
        parts.extend(of_block);
    }
    parts
}

fn continues(text: &mut String, words: &str) {
    text.push(' ');
    text.push_str(words);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_belong_together_become_one() {
        let text = "One line per machine,\nthe slowest first:\n  lost  gone for\n        long\n  done  all is here\n\
                    After a\nrestart:\n\nWHAT is one of\n  a name\n  an id or\n    its beginning";
        let term = |word: &str, meaning: &str| Part::Term(word.to_owned(), meaning.to_owned());
        assert_eq!(
            parts(text),
            [
                Part::Paragraph("One line per machine, the slowest first:".to_owned()),
                term("lost", "gone for long"),
                term("done", "all is here"),
                Part::Paragraph("After a restart:".to_owned()),
                Part::Paragraph("WHAT is one of".to_owned()),
                Part::Item("a name".to_owned()),
                Part::Item("an id or its beginning".to_owned()),
            ]
        );
    }
}
