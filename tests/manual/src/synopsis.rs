//! The SYNOPSIS of a command, as manual pages have it: `ttctl get [-o PATH] [--detach | --timeout DURATION] WHAT`.

use clap::{Arg, ArgAction, Command};

/// A piece of a synopsis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// To be typed as it is.
    Literal(String),
    /// To be replaced: the name of a value.
    Value(String),
    /// A bracket, a bar, a blank, or "...".
    Mark(&'static str),
    /// Another form of the command follows, on a line of its own.
    Break,
}

use Piece::{Break, Literal, Mark, Value};

/// The synopsis of a command that is built: the usage that it declares, else one that is made of its arguments. Options
/// that every verb has, and --help, are left out.
pub(crate) fn synopsis(command: &Command) -> Vec<Piece> {
    let usage = command.clone().render_usage().to_string();
    match usage.contains("[OPTIONS]") || command.has_subcommands() {
        true => of_arguments(command),
        false => of_usage(usage.trim_start_matches("Usage: "), command),
    }
}

/// The pieces of a usage: names of values are in capitals.
fn of_usage(usage: &str, command: &Command) -> Vec<Piece> {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let mut pieces = Vec::new();
    for form in usage.split(name).skip(1) {
        pieces.extend((!pieces.is_empty()).then_some(Break));
        pieces.push(Literal(name.to_owned()));
        for word in form.split_whitespace() {
            pieces.push(Mark(" "));
            pieces.extend(of_word(word));
        }
    }
    pieces
}

fn of_word(word: &str) -> Vec<Piece> {
    const MARKS: [&str; 5] = ["...", "[:", "[", "]", "|"];
    let mut pieces = Vec::new();
    let mut rest = word;
    while !rest.is_empty() {
        if let Some(mark) = MARKS.into_iter().find(|mark| rest.starts_with(mark)) {
            pieces.push(Mark(mark));
            rest = &rest[mark.len()..];
            continue;
        }
        let end = rest.find(['[', ']', '|', '.']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end.max(1));
        let is_value = word.chars().all(|char| char.is_ascii_uppercase());
        pieces.push(if is_value { Value(word.to_owned()) } else { Literal(word.to_owned()) });
        rest = after;
    }
    pieces
}

fn of_arguments(command: &Command) -> Vec<Piece> {
    let mut pieces = vec![Literal(command.get_bin_name().unwrap_or(command.get_name()).to_owned())];
    for group in groups(command) {
        let is_required = group.iter().all(|arg| arg.is_required_set());
        pieces.push(Mark(if is_required { " " } else { " [" }));
        for (at, arg) in group.iter().enumerate() {
            pieces.extend((at > 0).then_some(Mark(" | ")));
            pieces.extend(option(arg));
        }
        pieces.extend((!is_required).then_some(Mark("]")));
        pieces.extend(group.iter().any(|arg| may_be_repeated(arg)).then_some(Mark("...")));
    }
    for arg in command.get_positionals().filter(|arg| !arg.is_hide_set()) {
        let is_required = arg.is_required_set();
        pieces.push(Mark(if is_required { " " } else { " [" }));
        pieces.push(Value(value_name(arg)));
        pieces.extend(takes_several(arg).then_some(Mark("...")));
        pieces.extend((!is_required).then_some(Mark("]")));
    }
    if command.get_subcommands().next().is_some() {
        pieces.extend([Mark(" "), Value("COMMAND".to_owned())]);
    }
    pieces
}

/// The arguments that stand by themselves, with what each of them means.
pub(crate) fn arguments(command: &Command) -> Vec<(String, String)> {
    let shown = command.get_positionals().filter(|arg| !arg.is_hide_set());
    let help =
        |arg: &Arg| arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    shown.map(|arg| (value_name(arg), help(arg))).collect()
}

/// The options in their order; those that exclude one another stand together.
fn groups(command: &Command) -> Vec<Vec<&Arg>> {
    let is_shown = |arg: &&Arg| {
        let is_common = arg.is_global_set() || ["help", "version"].contains(&arg.get_id().as_str());
        !arg.is_positional() && !arg.is_hide_set() && !is_common
    };
    let mut groups: Vec<Vec<&Arg>> = Vec::new();
    for arg in command.get_arguments().filter(is_shown) {
        let excludes = |other: &&Arg| {
            let named = |one: &Arg, two: &Arg| {
                command.get_arg_conflicts_with(one).iter().any(|conflict| conflict.get_id() == two.get_id())
            };
            named(arg, other) || named(other, arg)
        };
        match groups.iter_mut().find(|group| group.iter().all(&excludes)) {
            Some(group) => group.push(arg),
            None => groups.push(vec![arg]),
        }
    }
    groups
}

/// `-o PATH`, or `--timeout DURATION`.
fn option(arg: &Arg) -> Vec<Piece> {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let name = short.or_else(|| arg.get_long().map(|long| format!("--{long}"))).unwrap_or_default();
    if arg.get_action().takes_values() {
        vec![Literal(name), Mark(" "), Value(value_name(arg))]
    } else {
        vec![Literal(name)]
    }
}

fn value_name(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    names.first().map_or_else(|| arg.get_id().as_str().to_uppercase(), ToString::to_string)
}

fn takes_several(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|range| range.max_values() > 1)
}

fn may_be_repeated(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(command: &mut Command) -> String {
        command.build();
        let word = |piece: &Piece| match piece {
            Literal(word) | Value(word) => word.clone(),
            Mark(mark) => (*mark).to_owned(),
            Break => "\n".to_owned(),
        };
        synopsis(command).iter().map(word).collect()
    }

    #[test]
    fn options_have_their_values_and_those_that_exclude_one_another_stand_together() {
        let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
        let mut command = Command::new("get")
            .bin_name("ttctl get")
            .arg(Arg::new("output").short('o').long("output").value_name("PATH"))
            .arg(flag("detach"))
            .arg(flag("json").global(true))
            .arg(flag("hidden").hide(true))
            .arg(Arg::new("timeout").long("timeout").value_name("DURATION").conflicts_with("detach"))
            .arg(Arg::new("what").value_name("WHAT").required(true).num_args(1..));
        assert_eq!(text(&mut command), "ttctl get [-o PATH] [--detach | --timeout DURATION] WHAT...");
        assert_eq!(text(&mut Command::new("a").arg(Arg::new("b").value_name("B"))), "a [B]");
        let several = Arg::new("url").long("url").value_name("URL").action(ArgAction::Append);
        assert_eq!(text(&mut Command::new("a").arg(several)), "a [--url URL]...");
        assert_eq!(text(&mut Command::new("a").subcommand(Command::new("b"))), "a COMMAND");
    }

    #[test]
    fn a_usage_that_is_declared_is_the_synopsis() {
        let usage = "ttctl peer [-o PATH] NAME|ID...\n       ttctl peer --all HOST[:PORT]";
        let mut command = Command::new("peer").bin_name("ttctl peer").override_usage(usage);
        assert_eq!(text(&mut command), usage.replace("       ", ""));
        let pieces = of_word("HOST[:PORT]");
        let value = |word: &str| Value(word.to_owned());
        assert_eq!(pieces, [value("HOST"), Mark("[:"), value("PORT"), Mark("]")]);
    }

    /// Each verb's usage is written by hand: nothing that the verb takes may be missing in it.
    #[test]
    fn every_usage_has_all_that_its_verb_takes() {
        let mut cli = <ctl::cli::Cli as clap::CommandFactory>::command();
        cli.build();
        let (above, verbs): (Vec<&Command>, Vec<&Command>) =
            cli.get_subcommands().partition(|verb| verb.has_subcommands());
        let verbs = verbs.into_iter().chain(above.into_iter().flat_map(Command::get_subcommands));
        for verb in verbs.filter(|verb| verb.get_name() != "help") {
            let usage = verb.clone().render_usage().to_string();
            assert!(!usage.contains("[OPTIONS]"), "{usage}");
            assert!(usage.lines().all(|line| line.len() <= 80), "{usage}");
            let words: Vec<&str> =
                usage.split(|char: char| char.is_whitespace() || "[]".contains(char)).collect();
            for arg in groups(verb).concat() {
                let (long, short) = (arg.get_long().unwrap_or_default(), arg.get_short());
                let named = |word: &&&str| {
                    word.strip_prefix("--") == Some(long)
                        || short.is_some_and(|short| word.strip_prefix('-') == Some(&short.to_string()))
                };
                assert!(words.iter().any(|word| named(&word)), "{usage} lacks --{long}");
            }
            for arg in verb.get_positionals() {
                let several = if takes_several(arg) { "..." } else { "" };
                assert!(usage.contains(&format!("{}{several}", value_name(arg))), "{usage}");
            }
        }
    }
}
