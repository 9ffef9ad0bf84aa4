//! The mutants of a group, as cargo-mutants lists them.

use serde_json::Value;

/// A small change of the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mutant {
    /// Its name, which begins with the file, the line and the column.
    pub(super) name: String,
    /// The file, from the repository's root.
    pub(super) file: String,
    pub(super) genre: Genre,
    /// Where the changed code begins.
    pub(super) begin: Position,
    /// What is there instead.
    pub(super) replacement: String,
}

/// A place in a file. Both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Genre {
    /// A function returns at its beginning.
    Body,
    /// An operator between two operands is another one.
    Binary,
    /// `!` or `-` is missing.
    Unary,
    /// An arm of a `match` is missing.
    Arm,
    /// The condition of an arm is `true` or `false`.
    Guard,
    /// A field of a struct has the value of the struct behind `..`.
    Field,
}

/// The mutants in what `cargo mutants --list --json` prints.
pub(super) fn parse(text: &str) -> Result<Vec<Mutant>, String> {
    let list: Vec<Value> = serde_json::from_str(text).map_err(|error| format!("list of mutants: {error}"))?;
    list.iter().map(one).collect()
}

fn one(value: &Value) -> Result<Mutant, String> {
    let word = |key: &str| {
        value[key].as_str().map(str::to_owned).ok_or_else(|| format!("a mutant without {key}: {value}"))
    };
    let start = &value["span"]["start"];
    let number = |key: &str| start[key].as_u64().ok_or_else(|| format!("a mutant without a place: {value}"));
    let genre = match word("genre")?.as_str() {
        "FnValue" => Genre::Body,
        "BinaryOperator" => Genre::Binary,
        "UnaryOperator" => Genre::Unary,
        "MatchArm" => Genre::Arm,
        "MatchArmGuard" => Genre::Guard,
        "StructField" => Genre::Field,
        other => return Err(format!("unknown kind of mutants: {other}")),
    };
    Ok(Mutant {
        name: word("name")?,
        file: word("file")?,
        genre,
        begin: Position { line: number("line")? as usize, column: number("column")? as usize },
        replacement: word("replacement")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read() {
        let text = r#"[{"name": "a.rs:3:7: replace < with <= in f", "file": "a.rs", "genre": "BinaryOperator",
            "span": {"start": {"line": 3, "column": 7}, "end": {"line": 3, "column": 8}}, "replacement": "<="}]"#;
        let mutant = Mutant {
            name: "a.rs:3:7: replace < with <= in f".to_owned(),
            file: "a.rs".to_owned(),
            genre: Genre::Binary,
            begin: Position { line: 3, column: 7 },
            replacement: "<=".to_owned(),
        };
        assert_eq!(parse(text), Ok(vec![mutant]));
        assert!(parse(&text.replace("BinaryOperator", "Other")).unwrap_err().contains("Other"));
        assert!(parse("{}").is_err());
    }
}
