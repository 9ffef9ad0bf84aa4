//! The SYNOPSIS of a command, as manual pages have it: `ttctl get [-o PATH] [--detach | --timeout DURATION] WHAT`.

use clap::{Arg, Command};

/// A piece of a synopsis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// To be typed as it is.
    Literal(String),
    /// To be replaced: the name of a value.
    Value(String),
    /// A bracket, a bar, a blank, or "...".
    Mark(&'static str),
}

use Piece::{Literal, Mark, Value};

/// The synopsis of a command that is built. Options that every verb has, and --help, are left out.
pub(crate) fn synopsis(command: &Command) -> Vec<Piece> {
    let mut pieces = vec![Literal(command.get_bin_name().unwrap_or(command.get_name()).to_owned())];
    for group in groups(command) {
        let is_required = group.iter().all(|arg| arg.is_required_set());
        pieces.push(Mark(if is_required { " " } else { " [" }));
        for (at, arg) in group.iter().enumerate() {
            pieces.extend((at > 0).then_some(Mark(" | ")));
            pieces.extend(option(arg));
        }
        pieces.extend((!is_required).then_some(Mark("]")));
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
        match groups.iter_mut().find(|group| group.iter().all(|other| excludes(&other))) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ArgAction;

    fn text(command: &mut Command) -> String {
        command.build();
        let word = |piece: &Piece| match piece {
            Literal(word) | Value(word) => word.clone(),
            Mark(mark) => (*mark).to_owned(),
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
        assert_eq!(text(&mut Command::new("a").arg(Arg::new("b"))), "a [B]");
        assert_eq!(text(&mut Command::new("a").subcommand(Command::new("b"))), "a COMMAND");
    }
}
