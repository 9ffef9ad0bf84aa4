//! Tests completion in real shells.

use crate::fake::{State_, status};
use crate::fleet::Machine;
use crate::pty::Terminal;
use cluster::skip::skipped;
use shared::id::ResourceId;

/// What is typed before the key Tab, and the name that it means.
const TYPED: [(&str, &str); 6] = [
    ("wi", "with space.img"),
    ("'wi", "with space.img"),
    ("\"with sp", "with space.img"),
    ("with\\ sp", "with space.img"),
    ("it", "it's.img"),
    ("quo", "quo\"te.img"),
];

/// A shell with our completions; `None` if it is not installed.
fn shell(machine: &Machine, program: &str, args: &[&str], begin: &str) -> Option<Terminal> {
    let path = format!("/usr/bin/{program}");
    if !std::path::Path::new(&path).exists() {
        skipped(&format!("{program} is not installed"));
        return None;
    }
    let shell = machine.shell(&path, args);
    shell.type_in(&format!("{begin}; echo rea''dy\n"));
    shell.wait_until("that it is ready", |shown| shown.text().lines().any(|line| line == "ready"));
    Some(shell)
}

fn names_are_completed_in(program: &str, args: &[&str], begin: &str) {
    let machine = Machine::empty();
    let names = ["a:b.img", "it's.img", "plain.img", "quo\"te.img", "with space.img"];
    let of = |name: &&str| status(name, ResourceId::of(name.as_bytes()), State_::Seeding);
    machine.fake.state().here = names.iter().map(of).collect();
    let Some(shell) = shell(&machine, program, args, begin) else { return };
    for (typed, name) in TYPED {
        shell.type_in(&format!("clear; ttctl status {typed}\t"));
        let is_whole = |text: String| text.trim_end_matches(['\'', '"']).ends_with(".img");
        shell.wait_until("a whole name", |shown| is_whole(shown.text()));
        shell.type_in("\n");
        let is_it = |line: &str| line.strip_prefix("name ").is_some_and(|shown| shown.trim_start() == name);
        shell.wait_until("its status", |shown| shown.text().lines().any(is_it));
    }
    // an empty word is completed with names only
    shell.type_in("clear; ttctl status \t\t");
    shell.wait_until("all names", |shown| {
        shown.text().contains("a:b.img") && shown.text().contains("plain.img")
    });
    assert!(!shell.shown().text().contains("--watch"), "{}", shell.shown().text());
}

#[test]
fn names_are_completed_in_bash() {
    names_are_completed_in("bash", &["--norc", "--noprofile", "-i"], "source <(ttctl completions bash)");
}

#[test]
fn names_are_completed_in_zsh() {
    let begin = "PS1='$ '; autoload -U compinit; compinit -u -D; source <(ttctl completions zsh)";
    names_are_completed_in("zsh", &["-f", "-i"], begin);
}

#[test]
fn names_are_completed_in_fish() {
    names_are_completed_in("fish", &["--no-config", "-i"], "ttctl completions fish | source");
}

/// A package installs the script under a name below `$fpath`, where it is the body of the function.
#[test]
fn zsh_completes_the_first_word_with_an_installed_script() {
    let machine = Machine::full();
    let begin = "mkdir f; ttctl completions zsh > f/_ttctl; fpath=($PWD/f $fpath); PS1='$ '; \
                 autoload -U compinit; compinit -u -D";
    let Some(shell) = shell(&machine, "zsh", &["-f", "-i"], begin) else { return };
    shell.type_in("clear; ttctl status a.\t");
    shell.wait_until("a whole name", |shown| shown.text().ends_with("ttctl status a.img"));
}

/// A directory of the same name does not turn what is no path into one.
#[test]
fn bash_completes_a_verb_and_a_name_beside_directories_of_the_same_names() {
    let machine = Machine::empty();
    machine.fake.state().here = vec![status("plain.img", ResourceId::of(b"plain"), State_::Seeding)];
    let begin = "mkdir status plain.img; source <(ttctl completions bash)";
    let Some(shell) = shell(&machine, "bash", &["--norc", "--noprofile", "-i"], begin) else { return };
    shell.type_in("clear; ttctl stat\tpl\tx");
    let is_whole = |text: String| text.lines().any(|line| line.ends_with("ttctl status plain.img x"));
    shell.wait_until("the verb and the name", |shown| is_whole(shown.text()));
}
