//! Finds circles of files: each imports the next, and the last one the first.

use super::arrows::{Arrows, Tie};
use super::finding::Finding;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many names are listed for each arrow; the rest is counted.
const TIES_MAX: usize = 8;

/// The shortest circle of each file that is in one, the shortest first, each once.
pub(super) fn find(arrows: &Arrows) -> Vec<Finding> {
    let mut circles: BTreeSet<(usize, Vec<&str>)> = BTreeSet::new();
    for file in arrows.keys() {
        if let Some(circle) = shortest(arrows, file) {
            circles.insert((circle.len(), from_the_smallest(circle)));
        }
    }
    circles.into_iter().map(|(_, circle)| finding(arrows, &circle)).collect()
}

/// The shortest way from a file back to itself.
fn shortest<'a>(arrows: &'a Arrows, start: &'a str) -> Option<Vec<&'a str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for next in arrows.get(file).into_iter().flat_map(BTreeMap::keys) {
            if next == start {
                return Some(way(&came_from, start, file));
            }
            if !came_from.contains_key(next.as_str()) {
                came_from.insert(next, file);
                queue.push_back(next);
            }
        }
    }
    None
}

/// The files from `start` to `end`.
fn way<'a>(came_from: &BTreeMap<&'a str, &'a str>, start: &'a str, end: &'a str) -> Vec<&'a str> {
    let mut way = vec![end];
    while way[way.len() - 1] != start {
        way.push(came_from[way[way.len() - 1]]);
    }
    way.reverse();
    way
}

/// The same circle, beginning with the file that comes first in the alphabet, so that equal circles are equal.
fn from_the_smallest(mut circle: Vec<&str>) -> Vec<&str> {
    let smallest = (0..circle.len()).min_by_key(|&at| circle[at]).unwrap_or_default();
    circle.rotate_left(smallest);
    circle
}

fn finding(arrows: &Arrows, circle: &[&str]) -> Finding {
    let steps = (0..circle.len()).map(|at| (circle[at], circle[(at + 1) % circle.len()]));
    let steps: Vec<Step> = steps.map(|(from, to)| Step { from, to, ties: &arrows[from][to] }).collect();
    Finding {
        place: format!("{}:{}", steps[0].from, steps[0].ties[0].line),
        what: format!("{} files import one another in a circle", circle.len()),
        details: steps.iter().flat_map(said).collect(),
        remedy: remedy(&steps),
    }
}

/// One arrow of a circle.
struct Step<'a> {
    from: &'a str,
    to: &'a str,
    ties: &'a [Tie],
}

fn said(step: &Step) -> Vec<String> {
    let Step { from, to, ties } = step;
    let say = |tie: &Tie| format!("{from}:{} uses {}, defined in {to}:{}", tie.line, tie.name, tie.defined);
    let mut lines: Vec<String> = ties.iter().take(TIES_MAX).map(say).collect();
    if ties.len() > TIES_MAX {
        lines.push(format!("{from} uses {} more names of {to}", ties.len() - TIES_MAX));
    }
    lines
}

/// Suggests what to move: what a parent defines for its children, or otherwise the names of the arrow with the fewest.
fn remedy(steps: &[Step]) -> String {
    let up = steps.iter().find(|step| is_parent(step.to, step.from));
    let fewest = steps.iter().min_by_key(|step| step.ties.len());
    let step = up.or(fewest).expect("a circle has arrows");
    let names: Vec<&str> = step.ties.iter().map(|tie| tie.name.as_str()).collect();
    let others = match names.len().saturating_sub(TIES_MAX) {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    let names = names[..names.len().min(TIES_MAX)].join(", ");
    format!(
        "move {names}{others} from {} to a file that imports neither of them, or hand over what {} needs as a value",
        step.to, step.from
    )
}

/// Whether one file is the module around another's.
fn is_parent(parent: &str, child: &str) -> bool {
    let folder = match parent.rsplit_once('/') {
        Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder,
        _ => parent.strip_suffix(".rs").unwrap_or(parent),
    };
    child.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::super::arrows;
    use super::super::source::{Source, Sources};
    use super::*;

    /// The circles of an invented crate, each as its files without their end: `a b` is a circle of two.
    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let found = find(&arrows(files));
        let mut circles = Vec::new();
        for finding in found {
            let mut files: Vec<&str> = Vec::new();
            for detail in &finding.details {
                let file = detail.split(".rs").next().unwrap();
                if !files.contains(&file) {
                    files.push(file);
                }
            }
            circles.push(files.join(" "));
        }
        circles
    }

    fn arrows(files: &[(&str, &str)]) -> Arrows {
        let sources: Sources =
            files.iter().map(|(path, text)| ((*path).to_owned(), Source::of(path, text).unwrap())).collect();
        arrows::of(files[0].0, &sources).unwrap()
    }

    /// Two files, `a` and `b`, in a crate that declares them.
    fn two(a: &str, b: &str) -> Vec<String> {
        circles(&[("lib.rs", "mod a; mod b;"), ("a.rs", a), ("b.rs", b)])
    }

    #[test]
    fn two_files_that_import_one_another_are_a_circle() {
        let uses_b = "use crate::b::B; pub struct A;";
        assert_eq!(two(uses_b, "use crate::a::A; pub struct B;"), ["a b"]);
        assert_eq!(two(uses_b, "pub struct B;"), [""; 0]);
        assert_eq!(two("use super::b::B; pub struct A;", "use super::a::A; pub struct B;"), ["a b"]);
    }

    #[test]
    fn a_path_without_an_import_counts() {
        let a = "pub struct A; fn f() { crate::b::f(); }";
        assert_eq!(two(a, "pub fn f() { let _ = super::a::A; }"), ["a b"]);
        assert_eq!(two(a, "pub fn f(_: &crate::a::A) {}"), ["a b"]);
        assert_eq!(two(a, "use crate::a; pub fn f(_: Vec<Option<a::A>>) {}"), ["a b"]);
        assert_eq!(
            two(a, "use crate::a; pub fn f() {}"),
            [""; 0],
            "a module that is only named gives nothing"
        );
    }

    #[test]
    fn a_path_in_a_macros_input_or_in_an_attribute_counts() {
        let a = "pub struct A; pub mod text {} fn f() { crate::b::f(); }";
        assert_eq!(two(a, "pub fn f() { println!(\"{:?}\", (1, crate::a::A)); }"), ["a b"]);
        assert_eq!(two(a, "pub fn f() { println!(\"crate::a::A\"); }"), [""; 0], "a text is no path");
        let quoted =
            "#[derive(Serialize)] struct S { #[serde(with = \"crate::a::text::hex\")] a: u8 } pub fn f() {}";
        assert_eq!(two(a, quoted), ["a b"]);
        assert_eq!(two(a, "/// See [`crate::a::A`].\npub fn f() {}"), [""; 0], "a document is no import");
    }

    #[test]
    fn a_parent_and_its_child_count_as_two() {
        let child = ("a/child.rs", "use super::Up; pub struct Down;");
        let with = |a| circles(&[("lib.rs", "mod a;"), ("a.rs", a), child]);
        assert_eq!(with("mod child; use child::Down; pub struct Up;"), ["a a/child"]);
        assert_eq!(with("mod child; pub struct Up; fn f(_: self::child::Down) {}"), ["a a/child"]);
        assert_eq!(with("mod child; pub use child::Down; pub struct Up;"), ["a a/child"]);
        assert_eq!(with("mod child; pub struct Up;"), [""; 0], "a declaration is no import");
        assert_eq!(
            with("mod child; mod up; use child::Down; use up::Up;"),
            [""; 0],
            "the parent only passes it on"
        );
    }

    #[test]
    fn a_re_export_is_followed_to_the_definition() {
        let files = |a| {
            let lib = "mod a; mod b; mod door; pub use door::A;";
            let door = "pub use crate::a::A; pub use crate::b::*;";
            circles(&[
                ("lib.rs", lib),
                ("door.rs", door),
                ("a.rs", a),
                ("b.rs", "pub struct B; pub struct C;"),
            ])
        };
        assert_eq!(files("use crate::door::B; pub struct A;"), [""; 0], "the door imports a, a imports b");
        assert_eq!(files("use crate::A as Own; pub struct A;"), [""; 0], "its own thing, by way of the root");
        let chain = [
            ("lib.rs", "mod a; mod b; mod one; mod two;"),
            ("one.rs", "pub use crate::two::Name;"),
            ("two.rs", "pub use crate::b::B as Name;"),
            ("a.rs", "use crate::one::Name; pub struct A;"),
            ("b.rs", "use crate::a::A; pub struct B;"),
        ];
        assert_eq!(circles(&chain), ["a b"]);
    }

    #[test]
    fn a_glob_takes_what_is_named_and_a_public_glob_takes_all() {
        let b = "use super::a::*; pub struct B(A);";
        assert_eq!(two("use super::b::B; pub struct A;", b), ["a b"]);
        assert_eq!(two("use super::b::B; pub struct A;", "use super::a::*; pub struct B;"), [""; 0]);
        assert_eq!(two("use super::b::B; pub struct A;", "pub use super::a::*; pub struct B;"), ["a b"]);
        let variable = "use super::a::*; pub struct B; fn f(a: u8) -> u8 { a }";
        assert_eq!(
            two("use super::b::B; pub fn a() {}", variable),
            [""; 0],
            "a variable is not what the glob brings"
        );
        let around = "pub use super::b::*; use super::b::B; pub struct A;";
        assert_eq!(two(around, "pub use super::a::*; pub struct B(A);"), ["a b"], "globs may go in circles");
    }

    #[test]
    fn groups_and_renames_are_taken_apart() {
        let a = "pub mod inner { pub struct A; pub struct C; } use crate::b::B;";
        assert_eq!(
            two(a, "use crate::{a::{inner::{self, A as Other}}}; pub struct B(Other, inner::C);"),
            ["a b"]
        );
        let found = find(&arrows(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", a),
            ("b.rs", "use crate::a::inner as i;\n\npub struct B(i::C);"),
        ]));
        assert_eq!(
            found[0].details,
            ["a.rs:1 uses B, defined in b.rs:3", "b.rs:3 uses C, defined in a.rs:1"]
        );
    }

    #[test]
    fn what_tests_import_is_no_circle() {
        let a = "use crate::b::B; pub struct A;";
        assert_eq!(two(a, "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }"), [""; 0]);
        assert_eq!(two(a, "pub struct B; #[cfg(all(test, unix))] use crate::a::A;"), [""; 0]);
        assert_eq!(two(a, "pub struct B; #[test] fn t() { crate::a::A; }"), [""; 0]);
        assert_eq!(two(a, "pub struct B; impl B { #[cfg(test)] fn t() { crate::a::A; } }"), [""; 0]);
        assert_eq!(
            two(a, "pub struct B; #[cfg(any(test, unix))] use crate::a::A;"),
            ["a b"],
            "not only tests"
        );
        let outside = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", a),
            ("b.rs", "pub struct B; #[cfg(test)] #[path = \"other.rs\"] mod tests;"),
            ("other.rs", "use crate::a::A;"),
        ];
        assert_eq!(circles(&outside), [""; 0]);
    }

    #[test]
    fn a_macro_is_an_item() {
        let a = "macro_rules! settings { () => {} } pub(super) use settings; use crate::b::B;";
        assert_eq!(two(a, "use super::a::settings; pub struct B; settings!();"), ["a b"]);
        assert_eq!(two(a, "pub struct B; crate::a::settings!();"), ["a b"]);
        let body = "macro_rules! settings { () => { $crate::b::B } } pub(super) use settings;";
        assert_eq!(
            two(body, "use super::a::settings; pub struct B; settings!();"),
            ["a b"],
            "only the macro ties them"
        );
        let parent = [
            ("lib.rs", "macro_rules! settings { () => {} } mod a; use a::A;"),
            ("a.rs", "pub struct A; settings!();"),
        ];
        assert_eq!(circles(&parent), ["a lib"], "a child knows its parent's macro without an import");
    }

    #[test]
    fn what_a_macro_makes_is_where_it_is_called() {
        let a = "id! { pub A } use crate::b::B;";
        let found = find(&arrows(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", a),
            ("b.rs", "use crate::a::A; pub struct B;"),
        ]));
        assert_eq!(found[0].details[1], "b.rs:1 uses A, defined in a.rs:1");
        assert_eq!(
            two("pub use std::fmt::*; use crate::b::B;", "use crate::a::Debug; pub struct B;"),
            [""; 0]
        );
        assert_eq!(two("pub use std::fmt; use crate::b::B;", "use super::a::fmt; pub struct B;"), [""; 0]);
    }

    #[test]
    fn a_variant_and_a_function_of_a_type_mean_the_type() {
        let a = "use crate::b::B; pub enum A { One } impl A { pub fn new() {} }";
        assert_eq!(two(a, "pub struct B; fn f() { use crate::a::A::One; }"), ["a b"]);
        assert_eq!(two(a, "pub struct B; fn f() { crate::a::A::new(); }"), ["a b"]);
    }

    #[test]
    fn an_import_in_a_function_counts_there_only() {
        let a = "pub use crate::b::B; pub struct A;";
        assert_eq!(two(a, "pub struct B; fn f() { use crate::a::A; }"), ["a b"]);
        let own = "pub struct B; mod own { pub struct A; } fn f() { use own::A; } struct A; fn g(_: A) {}";
        assert_eq!(two(a, own), [""; 0]);
    }

    #[test]
    fn a_name_of_another_crate_is_no_module_of_this_one() {
        let a = "use crate::b::B; pub mod b { pub struct A; }";
        assert_eq!(two(a, "use ::a::b::A; use other::a::A as C; pub struct B;"), [""; 0]);
    }

    #[test]
    fn a_module_and_a_function_may_have_one_name() {
        let files = [
            ("lib.rs", "mod status; pub use status::status; mod b; use b::B;"),
            ("status.rs", "pub fn status() {}"),
            ("b.rs", "pub struct B; fn f() { crate::status(); crate::status::status(); }"),
        ];
        assert_eq!(circles(&files), [""; 0]);
    }

    #[test]
    fn the_shortest_circle_is_told_first_and_each_once() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c; mod d; mod e;"),
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "use crate::c::C; pub struct B;"),
            ("c.rs", "use crate::a::A; pub struct C;"),
            ("d.rs", "use crate::e::E; pub struct D;"),
            ("e.rs", "use crate::d::D; use crate::a::A; pub struct E;"),
        ];
        assert_eq!(circles(&files), ["d e", "a b c"]);
    }

    #[test]
    fn the_remedy_empties_the_parent() {
        let files = [
            ("lib.rs", "mod a;"),
            ("a/mod.rs", "mod child; use child::One; pub struct Up; pub struct High;"),
            ("a/child.rs", "use super::{Up, High}; pub struct One;"),
        ];
        let found = find(&arrows(&files));
        assert!(found[0].remedy.starts_with("move Up, High from a/mod.rs to a file"), "{}", found[0].remedy);
    }
}
