//! Finds questions that change what they ask.

use super::finding::Finding;
use super::functions::Function;
use super::source::Source;

/// The beginnings of the names of questions.
const BEGINNINGS: [&str; 3] = ["is_", "has_", "are_"];

/// The functions with the name of a question that take `&mut self`.
pub(super) fn find(source: &Source, functions: &[Function]) -> Vec<Finding> {
    let is_question = |function: &&Function| BEGINNINGS.iter().any(|begin| function.name.starts_with(begin));
    let wrong = functions.iter().filter(is_question).filter(|function| function.changes_self);
    wrong
        .map(|function| Finding {
            place: format!("{}:{}", source.path, function.first),
            what: format!("{} is named as a question and takes &mut self", function.name),
            details: Vec::new(),
            remedy: "let it take &self, or name it by what it does (a verb)".to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::functions;
    use super::*;

    fn count(text: &str) -> usize {
        let source = Source::of("a.rs", text).unwrap();
        find(&source, &functions::of(&source)).len()
    }

    #[test]
    fn a_question_that_takes_mut_self_is_found() {
        for receiver in ["&mut self", "&'a mut self", "self: &mut Self", "&mut self, other: u8"] {
            for name in ["is_full", "has_room", "are_up"] {
                let function = format!("fn {name}<'a>({receiver}) -> bool {{ true }}");
                assert_eq!(count(&format!("impl A {{ {function} }}")), 1, "{function}");
            }
        }
        assert_eq!(
            count("trait A { fn is_full(&mut self) -> bool; fn is_empty(&mut self) -> bool { true } }"),
            2
        );
    }

    #[test]
    fn other_functions_and_questions_are_not() {
        for function in [
            "fn is_full(&self) -> bool { true }",
            "fn is_full(self) -> bool { true }",
            "fn is_full(mut self) -> bool { true }",
            "fn is_full(&self, other: &mut Self) -> bool { true }",
            "fn issue(&mut self) {}",
            "fn fill(&mut self) -> bool { true }",
        ] {
            assert_eq!(count(&format!("impl A {{ {function} }}")), 0, "{function}");
        }
    }
}
