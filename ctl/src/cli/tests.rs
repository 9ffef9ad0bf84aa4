//! Tests which command lines are accepted, and what the help says.

use super::what::resource_name;
use super::{Cli, Command};
use clap::{CommandFactory, Parser};

fn parse(line: &str) -> Cli {
    Cli::try_parse_from(line.split(' ')).unwrap()
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn global_options_may_stand_on_either_side() {
    for line in [
        "ttctl --json --socket /s --directory /f status x",
        "ttctl status x --json --socket /s --directory /f",
        "ttctl --directory /f status --json x --socket /s",
        "ttctl --folder /f status --json x --socket /s",
    ] {
        let global = parse(line).global;
        assert!(global.json, "{line}");
        assert_eq!(global.socket, Some("/s".into()), "{line}");
        assert_eq!(global.folder, Some("/f".into()), "{line}");
    }
}

#[test]
fn what_is_asked_for_often_has_a_letter() {
    let global = parse("ttctl -q status x -j").global;
    assert!(global.quiet && global.json && !global.verbose);
    let global = parse("ttctl list -v --progress --no-progress").global;
    assert!(global.verbose && global.no_progress && !global.progress);
}

#[test]
fn habits_of_other_tools_are_understood() {
    assert!(matches!(parse("ttctl ls").command, Command::List(_)));
    assert!(matches!(parse("ttctl ps x").command, Command::Status(_)));
    assert!(matches!(parse("ttctl rm x").command, Command::Remove(_)));
    for line in ["ttctl add x -f", "ttctl share x --force", "ttctl share x --replace"] {
        assert!(matches!(parse(line).command, Command::Share(args) if args.replace), "{line}");
    }
    assert!(matches!(parse("ttctl get -f x").command, Command::Get(args) if args.replace));
    let error = Cli::try_parse_from(["ttctl", "stauts"]).unwrap_err().to_string();
    assert!(error.contains("'status'"), "{error}");
}

#[test]
fn percentages_are_explained_in_our_words() {
    for percent in ["101", "0", "-5", "x", "50.5"] {
        let line = format!("--percent={percent}");
        let error = Cli::try_parse_from(["ttctl", "wait", "x", &line]).unwrap_err().to_string();
        assert!(error.contains("a number from 1 to 100 is needed"), "{error}");
    }
    assert!(
        matches!(parse("ttctl wait x --percent 95%").command, Command::Wait(args) if args.percent == Some(95))
    );
}

#[test]
fn trackers_may_be_repeated() {
    let Command::Share(args) = parse("ttctl share a b --tracker tt://x --tracker tt://y:9").command else {
        panic!("not share")
    };
    assert_eq!((args.paths.len(), args.trackers.len()), (2, 2));
}

#[test]
fn what_makes_no_sense_is_wrong_usage() {
    for line in [
        "ttctl",
        "ttctl fetch x",
        "ttctl share",
        "ttctl get",
        "ttctl get x --timeout soon",
        "ttctl get x --timeout 5 --detach",
        "ttctl get x --detach -o y",
        "ttctl create f --tracker http://x",
        "ttctl tracker",
        "ttctl tracker peers",
        "ttctl pause",
        "ttctl limit --upload 5",
        "ttctl limit 5",
        "ttctl wait",
        "ttctl wait x --peers 0",
        "ttctl wait x --peers 1 --percent 1",
        "ttctl wait x --percent 101",
        "ttctl wait x --timeout 0",
        "ttctl fleet",
        "ttctl status --quiet --verbose",
    ] {
        let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn the_help_has_all_exit_codes() {
    let help = Cli::command().render_help().to_string();
    for code in (0..=8).chain([130]) {
        assert!(help.contains(&format!("\n  {code}  ")), "{code}");
    }
}

#[test]
fn a_manifests_name_stands_for_its_resource() {
    assert_eq!(resource_name("x.tinytorrent"), "x");
    assert_eq!(resource_name("x"), "x");
    assert_eq!(resource_name(".tinytorrent"), ".tinytorrent");
}
