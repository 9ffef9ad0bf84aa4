//! `ttctl subscribe`: writes subscriptions into a drop-in of ttd's configuration, and has ttd read it.

use crate::cli::{Global, SubscribeArgs};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::Document;
use crate::error::{Error, Kind};
use crate::files::{NewFile, parent, write_error};
use crate::human::clean;
use crate::output::Output;
use serde::Serialize;
use shared::host::config::{DaemonConfig, Files, Glob, SubscribeRule};
use shared::host::paths::Places;
use shared::url::TrackerUrl;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The name of the drop-in.
const FILE: &str = "60-subscriptions.toml";

/// The first line of a file that we wrote, and may write again.
const FIRST: &str = "# Written by `ttctl subscribe`.";

/// How long ttd may take to read its configuration. Beyond it the command fails with exit code 5.
const RELOADED_WITHIN: Duration = Duration::from_secs(15);
/// The pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

pub(crate) async fn subscribe(
    args: &SubscribeArgs,
    global: &Global,
    output: &mut Output,
) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let overview = daemon.caller.overview(CALL_TIMEOUT).await??;
    let path = place(&overview.config_files);
    let mut rules = read(&path)?;
    let (before, names): (_, Vec<&str>) = (rules.clone(), args.names.iter().map(Glob::as_str).collect());
    match args.remove {
        true => remove(&mut rules, &args.names, &path)?,
        false => add(&mut rules, &args.names, &args.tracker),
    }
    let is_changed = rules != before;
    if is_changed {
        write(&path, &rules)?;
    }
    daemon.caller.reload(CALL_TIMEOUT).await??;
    wait_until_read(&daemon, &path, &rules).await?;
    let file = path.display().to_string();
    if output.is_json() {
        let subscribed: Vec<&str> = rules.iter().flat_map(|rule| &rule.names).map(Glob::as_str).collect();
        return output.json(&Document::new(Subscribed { file: &file, subscribed, changed: is_changed }));
    }
    let (what, file) = (clean(&names.join(" ")), clean(&file));
    output.done(&match (args.remove, is_changed) {
        (true, _) => format!("ttd does not subscribe to {what} any more; what was fetched stays"),
        (false, true) => format!("ttd subscribes to {what} ({file})"),
        (false, false) => format!("ttd subscribed to {what} before ({file})"),
    })
}

/// Where the drop-in is: beside the configuration that ttd reads.
fn place(config_files: &[PathBuf]) -> PathBuf {
    let is_in_drop_ins = |path: &&PathBuf| parent(path).extension() == Some(OsStr::new("d"));
    let main = config_files.iter().find(|path| !is_in_drop_ins(path));
    let directory = match (main, config_files.first()) {
        (Some(main), _) => main.with_extension("d"),
        (None, Some(drop_in)) => parent(drop_in).to_owned(),
        (None, None) => Places::of_process().daemon_config().with_extension("d"),
    };
    directory.join(FILE)
}

/// The subscriptions that are in the drop-in.
fn read(path: &Path) -> Result<Vec<SubscribeRule>, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(format!("cannot read {}", path.display()), &error)),
    };
    let foreign = || {
        Error::refused(format!("{} was not written by this command", path.display()))
            .hint("move what it says to another file in the same directory")
    };
    if !text.starts_with(FIRST) {
        return Err(foreign());
    }
    let config = DaemonConfig::of(&Files::of_texts([(path, text)])).map_err(|_| foreign())?;
    Ok(config.subscribe)
}

/// Adds a rule for each name; those that are there already get these trackers.
fn add(rules: &mut Vec<SubscribeRule>, names: &[Glob], trackers: &[TrackerUrl]) {
    for name in names {
        let rule = SubscribeRule { names: vec![name.clone()], trackers: trackers.to_vec() };
        match rules.iter_mut().find(|known| known.names == rule.names) {
            Some(known) => *known = rule,
            None => rules.push(rule),
        }
    }
}

/// Removes the rules of these names.
fn remove(rules: &mut Vec<SubscribeRule>, names: &[Glob], path: &Path) -> Result<(), Error> {
    for name in names {
        let count = rules.len();
        rules.retain(|rule| rule.names != [name.clone()]);
        if rules.len() == count {
            return Err(Error::refused(format!("{} has no subscription to {name}", path.display()))
                .hint("`ttctl subscriptions` shows where each one is written"));
        }
    }
    Ok(())
}

/// Writes the drop-in, or deletes it if nothing is left.
fn write(path: &Path, rules: &[SubscribeRule]) -> Result<(), Error> {
    if rules.is_empty() {
        return fs::remove_file(path)
            .map_err(|error| denied(Error::io(format!("cannot delete {}", path.display()), &error)));
    }
    let mut text = format!("{FIRST} It writes the file anew: add nothing here by hand.\n");
    for rule in rules {
        let names = rule.names.iter().map(Glob::to_string);
        text += &format!("\n[[subscribe]]\nnames = [{}]\n", strings(names));
        if !rule.trackers.is_empty() {
            let trackers = rule.trackers.iter().map(TrackerUrl::to_string);
            text += &format!("trackers = [{}]\n", strings(trackers));
        }
    }
    let folder = parent(path);
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(folder)
        .map_err(|error| denied(Error::io(format!("cannot make {}", folder.display()), &error)))?;
    let mut new = NewFile::create_with_mode(path, 0o644).map_err(denied)?;
    new.file().write_all(text.as_bytes()).map_err(|error| write_error(path, &error))?;
    new.publish(true)
}

/// These as strings of TOML. Patterns have no control characters.
fn strings(values: impl Iterator<Item = String>) -> String {
    let quoted = values.map(|value| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")));
    quoted.collect::<Vec<_>>().join(", ")
}

/// The error, and who may write there.
fn denied(error: Error) -> Error {
    error.hint("the configuration of a ttd that systemd runs belongs to root: run the command as root")
}

/// Waits until ttd has read the drop-in.
async fn wait_until_read(daemon: &Daemon, path: &Path, rules: &[SubscribeRule]) -> Result<(), Error> {
    let expected: BTreeSet<String> = rules.iter().flat_map(|rule| &rule.names).map(Glob::to_string).collect();
    let begins = format!("{}:", path.display());
    let until = Instant::now() + RELOADED_WITHIN;
    loop {
        let subscriptions = daemon.caller.subscriptions(CALL_TIMEOUT).await??;
        let of_file = subscriptions.iter().filter(|subscription| subscription.place.starts_with(&begins));
        let known: BTreeSet<String> = of_file.flat_map(|subscription| subscription.names.clone()).collect();
        if known == expected {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(Error::new(Kind::TimedOut, format!("ttd has not read {} yet", path.display())).hint(
                "its log says why: `journalctl -u ttd`; `ttd --check-config` checks the configuration",
            ));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// `subscribe`
#[derive(Debug, Serialize)]
struct Subscribed<'a> {
    /// The file that the command writes.
    file: &'a str,
    /// The patterns in it.
    subscribed: Vec<&'a str>,
    /// Whether the command changed it.
    changed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(texts: &[&str]) -> Vec<Glob> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ttd.d").join(FILE);
        let mut rules = read(&path).unwrap();
        assert!(rules.is_empty());
        add(&mut rules, &globs(&["app-*", r#"a "\[b"#]), &["tt://t:1".parse().unwrap()]);
        add(&mut rules, &globs(&["app-*"]), &[]);
        write(&path, &rules).unwrap();
        assert_eq!(read(&path).unwrap(), rules);
        assert_eq!(rules.len(), 2);
        assert!(rules[0].trackers.is_empty(), "the last command counts");
        remove(&mut rules, &globs(&["app-*"]), &path).unwrap();
        assert!(remove(&mut rules, &globs(&["app-*"]), &path).is_err());
        remove(&mut rules, &globs(&[r#"a "\[b"#]), &path).unwrap();
        write(&path, &rules).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_file_of_somebody_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        for text in ["[[subscribe]]\nnames = [\"a\"]\n".to_owned(), format!("{FIRST}\nnonsense\n")] {
            fs::write(&path, text).unwrap();
            assert!(read(&path).is_err());
        }
    }

    #[test]
    fn the_file_lies_beside_the_configuration_that_ttd_reads() {
        for (files, expected) in [
            (&["/etc/x/ttd.toml", "/etc/x/ttd.d/a.toml"][..], "/etc/x/ttd.d/60-subscriptions.toml"),
            (&["/srv/own.toml"], "/srv/own.d/60-subscriptions.toml"),
            (&["/etc/x/ttd.d/a.toml"], "/etc/x/ttd.d/60-subscriptions.toml"),
        ] {
            let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
            assert_eq!(place(&files), Path::new(expected));
        }
    }
}
