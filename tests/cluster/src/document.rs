//! Reads commands and files out of a document, so that a test runs exactly what the document tells its reader to type.

/// The part of a Markdown text under one heading of the second level, up to the next one.
#[derive(Debug, Clone, Copy)]
pub struct Section<'a> {
    heading: &'a str,
    text: &'a str,
}

/// A fenced block of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block<'a> {
    /// The word after the opening fence; empty if there is none.
    language: &'a str,
    /// The lines between the fences, each with its end.
    text: &'a str,
}

impl<'a> Section<'a> {
    /// The section `## HEADING` of a document. The error names the heading.
    pub fn find(document: &'a str, heading: &'a str) -> Result<Section<'a>, String> {
        let start = format!("## {heading}\n");
        let at = document.find(&format!("\n{start}")).map(|at| at + 1);
        let at = at.or_else(|| document.starts_with(&start).then_some(0));
        let rest = &document[at.ok_or_else(|| format!("no heading \"{heading}\""))? + start.len()..];
        Ok(Section { heading, text: rest.split("\n## ").next().unwrap_or(rest) })
    }

    /// The section's text.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The only block of commands in this language. A block whose first line (or the one after `#!`) is `# NAME` shows
    /// a file instead.
    pub fn commands(&self, language: &str) -> Result<&'a str, String> {
        let is_it = |block: &Block| block.language == language && block.file().is_none();
        self.only(is_it, &format!("commands in {language}"))
    }

    /// All blocks of commands in this language, in their order.
    pub fn all_commands(&self, language: &str) -> impl Iterator<Item = &'a str> {
        blocks(self.text)
            .into_iter()
            .filter(move |block| block.language == language && block.file().is_none())
            .map(|block| block.text)
    }

    /// The only block whose first line (or the one after `#!`) is `# NAME`: a file's contents.
    pub fn file(&self, name: &str) -> Result<&'a str, String> {
        self.only(|block| block.file() == Some(name), &format!("block that begins with \"# {name}\""))
    }

    fn only(&self, is_it: impl Fn(&Block) -> bool, what: &str) -> Result<&'a str, String> {
        let found: Vec<Block> = blocks(self.text).into_iter().filter(is_it).collect();
        match found[..] {
            [block] => Ok(block.text),
            _ => Err(format!("\"{}\" has {} times a {what}, not once", self.heading, found.len())),
        }
    }
}

impl<'a> Block<'a> {
    /// The name of the file that the block shows: one word without blanks after `# `.
    fn file(&self) -> Option<&'a str> {
        let first = self.text.lines().find(|line| !line.starts_with("#!"))?;
        first.strip_prefix("# ").filter(|name| !name.contains(char::is_whitespace))
    }
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = split_at_fence(rest) {
        let (language, after) = after.split_once('\n').unwrap_or((after, ""));
        let Some((text, after)) = split_at_fence(after) else { break };
        blocks.push(Block { language: language.trim(), text });
        rest = after;
    }
    blocks
}

/// The text before the next line that begins with a fence, and the text after the fence.
fn split_at_fence(text: &str) -> Option<(&str, &str)> {
    const FENCE: &str = "```";
    if let Some(after) = text.strip_prefix(FENCE) {
        return Some(("", after));
    }
    let at = text.find("\n```")? + 1;
    Some((&text[..at], &text[at + FENCE.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Title\n\n## One\n\nSay:\n\n```sh\nls\n```\n\nand write:\n\n```ini\n# /etc/a.conf\na = 1\n```\n\n\
        ```sh\n#!/bin/sh\n# run.sh\necho ```no fence\n```\n## Two\n```sh\n# this is a comment\n```\n```sh\ntrue\n```\n";

    #[test]
    fn a_block_is_found_by_its_heading_and_its_first_line() {
        let one = Section::find(TEXT, "One").unwrap();
        assert_eq!(one.commands("sh"), Ok("ls\n"));
        assert_eq!(one.file("/etc/a.conf"), Ok("# /etc/a.conf\na = 1\n"));
        assert_eq!(one.file("run.sh"), Ok("#!/bin/sh\n# run.sh\necho ```no fence\n"));
        assert!(!one.text().contains("true"));
    }

    #[test]
    fn what_is_not_there_once_is_an_error() {
        assert!(Section::find(TEXT, "On").unwrap_err().contains("\"On\""));
        let two = Section::find(TEXT, "Two").unwrap();
        assert!(
            two.commands("sh").unwrap_err().contains("2 times"),
            "a comment of several words is no file's name"
        );
        assert!(two.file("run.sh").unwrap_err().contains("0 times"));
        assert!(Section::find(TEXT, "One").unwrap().commands("yaml").is_err());
    }

    #[test]
    fn a_block_without_an_end_is_none() {
        let section = Section::find("## A\n```sh\nls\n", "A").unwrap();
        assert!(section.commands("sh").is_err());
    }
}
