//! Section 1: the three programs, and ttctl's verbs. The command lines describe themselves; FILES and ENVIRONMENT
//! are written here.

use crate::notes::{Part, parts};
use crate::page::{COLUMNS, Page};
use crate::synopsis::{arguments, synopsis};
use clap::{Command, CommandFactory};
use clap_mangen::Man;

/// Where a configuration is read from.
const CONFIG: &str = "It is read from $CONFIGURATION_DIRECTORY if that is set, otherwise from /etc/tinytorrent for root and \
     from ~/.config/tinytorrent for other users. It need not exist.";

const COLOUR: (&str, &str) = ("NO_COLOR", "If set, the output has no colors.");

pub(crate) fn ttd() -> Page {
    let mut page = program(daemon::cli::Args::command(), "ttd");
    page.heading("FILES");
    page.term(
        "ttd.toml",
        &format!("The configuration, with the drop-ins in ttd.d beside it; see ttd.toml(5). {CONFIG}"),
    );
    page.term(
        "DIRECTORY",
        "The shared directory: finished files, each with its manifest NAME.tinytorrent. The default is \
         $STATE_DIRECTORY if that is set, otherwise /var/lib/tinytorrent for root and ~/.local/share/tinytorrent for \
         other users.",
    );
    page.term(
        "DIRECTORY/.tinytorrent",
        "ttd's own files: unfinished downloads, the records of all files, and the lock. They may be deleted while ttd \
         is stopped; unfinished downloads are then lost.",
    );
    page.term(
        "/var/lib/ttd/identity",
        "The key and the certificate of this machine, if `ttctl join` made it a member of a closed fleet, and whom it \
         believes. Only ttd may read it. It is the second directory in $STATE_DIRECTORY if that names two; other users \
         have it in ~/.local/state/tinytorrent, and a daemon with a DIRECTORY on its command line in \
         DIRECTORY/.tinytorrent. Do not copy it to other machines.",
    );
    page.term(
        "/run/tinytorrent/ttd.sock",
        "The control socket of the machine's daemon. The members of the group tinytorrent may write to it, and so \
         control ttd. A daemon with a DIRECTORY on its command line has its socket in DIRECTORY/.tinytorrent, a \
         user's own daemon in $XDG_RUNTIME_DIR/tinytorrent.",
    );
    page.heading("ENVIRONMENT");
    page.term(
        "TT_TRACKERS",
        "Trackers, as tt://HOST:PORT, separated by commas or white space. They replace those in the configuration, \
         also after a reload; --tracker overrides them.",
    );
    services(&mut page);
    page.term(COLOUR.0, COLOUR.1);
    page.see_also(&["ttctl(1)", "tt-tracker(1)", "ttd.toml(5)", "tinytorrent(5)", "systemd.service(5)"]);
    page
}

pub(crate) fn tt_tracker() -> Page {
    let mut page = program(tracker::cli::Args::command(), "tt-tracker");
    page.heading("FILES");
    page.term(
        "tt-tracker.toml",
        &format!(
            "The configuration, with the drop-ins in tt-tracker.d beside it; see tt-tracker.toml(5). {CONFIG}"
        ),
    );
    page.heading("ENVIRONMENT");
    services(&mut page);
    page.term(COLOUR.0, COLOUR.1);
    page.see_also(&["ttd(1)", "ttctl(1)", "tt-tracker.toml(5)", "systemd.service(5)"]);
    page
}

/// ttctl, and a page for each of its verbs.
pub(crate) fn ttctl() -> Vec<Page> {
    let mut command = ctl::cli::Cli::command();
    command.build();
    let mut main = program(command.clone(), "ttctl");
    main.heading("FILES");
    main.term("/run/tinytorrent/ttd.sock", "The control socket of the machine's daemon.");
    main.term("$XDG_RUNTIME_DIR/tinytorrent/ttd.sock", "The control socket of the user's own daemon.");
    main.term("NAME.tinytorrent", "A manifest; tinytorrent(5) describes it.");
    main.heading("ENVIRONMENT");
    main.term(
        "TT_SOCKET",
        "The control socket of the daemon to talk to; --socket and --directory override it.",
    );
    main.term(
        "TT_TRACKERS",
        "Trackers for share and create, as tt://HOST:PORT, separated by commas or white space; --tracker overrides \
         them. If no ttd answers, doctor uses them too.",
    );
    main.term("XDG_RUNTIME_DIR", "Where the user's own daemon has its socket.");
    main.term(COLOUR.0, COLOUR.1);
    main.see_also(&["ttd(1)", "tt-tracker(1)", "tinytorrent(5)"]);
    let mut pages = vec![main];
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        verbs(verb, "ttctl", &mut pages);
    }
    pages
}

fn verbs(verb: &Command, above: &str, pages: &mut Vec<Page>) {
    let name = format!("{above}-{}", verb.get_name());
    let mut page = program(verb.clone().disable_help_subcommand(true), &name);
    page.see_also(&["ttctl(1)"]);
    pages.push(page);
    for below in verb.get_subcommands().filter(|below| below.get_name() != "help") {
        verbs(below, &name, pages);
    }
}

/// The sections that are made from the command line.
fn program(mut command: Command, name: &str) -> Page {
    command.build();
    let after_help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (sections, notes): (Vec<&str>, Vec<&str>) =
        after_help.split("\n\n").filter(|part| !part.is_empty()).partition(|part| has_heading(part));
    // there is no page about `help`, and arguments have a section of their own
    let command =
        command.mut_subcommands(|verb| if verb.get_name() == "help" { verb.hide(true) } else { verb });
    let (synopsis, arguments) = (synopsis(&command), arguments(&command));
    let command = command.mut_args(|arg| if arg.is_positional() { arg.hide(true) } else { arg });
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let summary = in_one_line(name, &about);
    let mut page = Page::new(name, 1, summary);
    page.synopsis(&synopsis);
    page.heading("DESCRIPTION");
    let more = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    let mut description = parts(&format!("{more}\n\n{}", notes.join("\n\n")));
    let first = Part::Paragraph(about.clone());
    if description.first() == Some(&first) {
        description.remove(0);
    }
    if summary != about || description.is_empty() {
        description.insert(0, Part::Paragraph(about + "."));
    }
    page.parts(&description);
    if !arguments.is_empty() {
        page.heading("ARGUMENTS");
        arguments.iter().for_each(|(argument, meaning)| page.term(argument, meaning));
    }
    let has_verbs = command.get_subcommands().next().is_some();
    let man = Man::new(command);
    let mut options = Vec::new();
    let rendered = man
        .render_options_section(&mut options)
        .and_then(|()| if has_verbs { man.render_subcommands_section(&mut options) } else { Ok(()) });
    rendered.expect("a vector takes everything");
    // The library writes "--upload <RATE>", a synopsis "--upload RATE".
    let options = String::from_utf8_lossy(&options).replace("\\fI<", "\\fI").replace(">\\fR", "\\fR");
    page.written(options.into_bytes());
    for section in sections {
        let (heading, text) = section.split_once('\n').unwrap_or((section, ""));
        let heading = heading.trim_end_matches(':').to_uppercase();
        match heading.as_str() {
            "EXAMPLE" | "EXAMPLES" => {
                page.heading("EXAMPLES");
                page.example(text);
            }
            heading => {
                page.heading(heading);
                page.parts(&parts(text));
            }
        }
    }
    page
}

/// What a page is about, on the one line that `apropos` shows: a longer text ends where its details begin.
fn in_one_line<'a>(name: &str, about: &'a str) -> &'a str {
    let fits = |about: &str| format!("       {name} - {about}").chars().count() <= COLUMNS;
    match about.split_once([';', ':']) {
        Some((first, _)) if !fits(about) => first,
        _ => about,
    }
}

/// "Examples:", and then the examples.
fn has_heading(part: &str) -> bool {
    part.split_once('\n').is_some_and(|(first, _)| first.ends_with(':') && first.len() < 40)
}

fn services(page: &mut Page) {
    page.term(
        "STATE_DIRECTORY, RUNTIME_DIRECTORY, CONFIGURATION_DIRECTORY",
        "The directories that systemd assigns to the service; see systemd.exec(5).",
    );
    page.term(
        "NOTIFY_SOCKET, WATCHDOG_USEC",
        "Where readiness, status and signs of life are reported to systemd; see sd_notify(3).",
    );
    page.term(
        "JOURNAL_STREAM",
        "Set by systemd when the log goes to the journal: each line then begins with its priority.",
    );
}
