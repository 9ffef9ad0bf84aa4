//! The document, and how a machine comes by what it shows.

use crate::machine::Machine;
use cluster::document::Section;

const RECIPES: &str = include_str!("../../../../../docs/recipes.md");

/// What stands under a heading of docs/recipes.md.
pub(super) fn recipe(heading: &'static str) -> Result<Section<'static>, String> {
    Section::find(RECIPES, heading)
}

/// Writes a file as the recipe shows it, at the path that the recipe gives it.
pub(super) fn install(machine: &Machine, recipe: &Section<'static>, path: &str) -> Result<(), String> {
    let (folder, _) = path.rsplit_once('/').ok_or(format!("{path} is no path"))?;
    machine.sh(&format!("mkdir -p {folder}"))?;
    machine.write(path, recipe.file(path)?)
}

/// Writes a file as the recipe shows it into this folder, under the name that the recipe gives it.
pub(super) fn install_in(
    machine: &Machine,
    recipe: &Section<'static>,
    folder: &str,
    name: &str,
) -> Result<(), String> {
    machine.sh(&format!("mkdir -p {folder}"))?;
    machine.write(&format!("{folder}/{name}"), recipe.file(name)?)
}

/// Replaces a text of a recipe that must be in it: a time that is too long to wait for, or the name of a machine.
pub(super) fn replace(text: &str, from: &str, to: &str) -> Result<String, String> {
    match text.contains(from) {
        true => Ok(text.replace(from, to)),
        false => Err(format!("the recipe has no \"{from}\" any more:\n{text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The runs themselves need root and minutes; that the document has what they take is found out at once.
    #[test]
    fn the_document_has_what_the_scenario_takes() {
        let files = [
            ("Ansible: bring a file to a fleet", &["rollout.yml", "hosts"][..]),
            (
                "cron: a file that is replaced regularly",
                &["/etc/cron.d/forecast-share", "/etc/cron.d/forecast-get"],
            ),
            ("Full speed only at night", &["/etc/tinytorrent/ttd.d/40-hours.toml"]),
            ("A CI job that rolls out and waits", &["rollout.sh", "hosts.txt", "later.sh", "look.sh"]),
            ("A release directory on every machine", &["publish.sh", "/etc/cron.d/site-get"]),
            (
                "systemd: act when a file arrives",
                &["/etc/systemd/system/app-install.path", "/etc/systemd/system/app-install.service"],
            ),
            ("systemd: a service that needs a file", &["/etc/systemd/system/app.service.d/file.conf"]),
        ];
        for (heading, names) in files {
            let recipe = recipe(heading).unwrap();
            for name in names {
                recipe.file(name).unwrap();
            }
        }
        let with_commands = [0, 5, 6].map(|index| files[index].0);
        for heading in with_commands {
            recipe(heading).unwrap().commands("sh").unwrap();
        }
        let headings = RECIPES.lines().filter(|line| line.starts_with("## ")).count();
        assert_eq!(headings, files.len(), "a recipe that nobody runs");
    }
}
