//! `ttctl list`: lists the files that are here.

use crate::cli::{Global, ListArgs};
use crate::connect::{CALL_TIMEOUT, Daemon};
use crate::documents::{Document, Resource, Resources};
use crate::each::Failures;
use crate::error::Error;
use crate::local_time;
use crate::output::Output;
use crate::status::{NOTHING, coloured_state, size};
use crate::table::{Column, Table};
use crate::targets::{all_here, matching};
use shared::rpc::control::ResourceStatus;

pub(crate) async fn list(args: &ListArgs, global: &Global, output: &mut Output) -> Result<(), Error> {
    let daemon = Daemon::connect(global).await?;
    let here = match args.what.is_empty() {
        true => daemon.caller.status(None, CALL_TIMEOUT).await??,
        false => all_here(&daemon).await?,
    };
    let mut failures = Failures::default();
    let resources = match &args.what[..] {
        [] => here.iter().collect(),
        whats => {
            let (found, failed) = matching(&here, whats);
            failed.into_iter().for_each(|(what, error)| failures.add(&what, error, output));
            found
        }
    };
    if output.is_json() {
        let resources = resources.into_iter().map(Resource::from).collect();
        output.json(&Document::new(Resources { resources, errors: failures.take(), tls: None }))?;
    } else if args.what.is_empty() || !resources.is_empty() {
        let with_paths = args.long || output.columns().is_none();
        table(resources, with_paths, output).print(output, NOTHING)?;
    }
    failures.end()
}

fn table<'a>(
    resources: impl IntoIterator<Item = &'a ResourceStatus>,
    with_paths: bool,
    output: &Output,
) -> Table {
    let mut table = Table::new(&[
        Column::left("NAME").shortened(),
        Column::left("ID").id(),
        Column::right("SIZE"),
        Column::left("ADDED").dropped(1),
        Column::left("STATE"),
        Column::left("PATH").below(),
    ]);
    for resource in resources {
        let path = resource.path.as_ref().filter(|_| with_paths).map(|path| path.display().to_string());
        let added = resource.added_at_ms.map(|ms| local_time::minute(ms, output));
        table.row(vec![
            resource.name.as_str().into(),
            resource.resource.to_string().into(),
            size(resource).into(),
            added.unwrap_or_default().into(),
            coloured_state(resource.state),
            path.unwrap_or_default().into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::id::ResourceId;
    use shared::rpc::control::State;

    fn resources() -> Vec<ResourceStatus> {
        let name = "lab-2026-debian-bookworm-desktop.img";
        let lab = ResourceStatus {
            bytes_total: Some(4 << 30),
            added_at_ms: Some(1_772_348_759_123),
            path: Some(format!("/var/lib/tinytorrent/{name}").into()),
            ..ResourceStatus::new(name.parse().unwrap(), ResourceId::of(b"lab"), State::Downloading)
        };
        let old = ResourceStatus {
            bytes_total: Some(17),
            ..ResourceStatus::new("old.txt".parse().unwrap(), ResourceId::of(b"old"), State::Seeding)
        };
        vec![lab, old]
    }

    #[test]
    fn a_terminal_of_80_columns_has_room_for_all_but_the_paths() {
        let output = Output::to(Vec::new(), &Global::default()).at_terminal(80);
        let lines = table(&resources(), false, &output).lines(&output);
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("NAME ") && lines[0].ends_with("STATE"), "{}", lines[0]);
        assert!(lines[0].contains("  ID  ") && lines[0].contains("ADDED"), "{}", lines[0]);
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
        assert!(lines[1].starts_with("lab-2026-") && lines[1].contains("4.0 GiB"), "{}", lines[1]);
        let long = table(&resources(), true, &output).lines(&output);
        assert_eq!(long[2], "  /var/lib/tinytorrent/lab-2026-debian-bookworm-desktop.img");
    }

    #[test]
    fn a_pipe_has_everything_whole_on_one_line() {
        let output = Output::to(Vec::new(), &Global::default());
        let lines = table(&resources(), true, &output).lines(&output);
        assert!(lines[1].starts_with("lab-2026-debian-bookworm-desktop.img  "), "{}", lines[1]);
        assert!(lines[1].contains(&ResourceId::of(b"lab").to_string()));
        assert!(lines[1].ends_with("/var/lib/tinytorrent/lab-2026-debian-bookworm-desktop.img"));
        assert_eq!(lines.len(), 3);
    }
}
