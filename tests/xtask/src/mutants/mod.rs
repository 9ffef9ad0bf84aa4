//! `cargo xtask mutants`: changes the code in many small ways, such as `<` to `<=`, one at a time, and looks whether a test
//! fails each time. A change that no test notices is called a survivor: a test is missing, or the change makes no
//! difference that matters. The latter are listed with their reasons.
//!
//! The changes are made in a copy of the last commit under `target/mutants`, so that nobody's files are touched.

mod groups;
mod mutant;
mod program;
mod survivors;
mod switch;
mod switched;
mod trial;
mod tries;

use crate::cargo::Workspace;
use crate::tools;
use clap::Args;
use survivors::{LIST, Survivors};
use trial::Trial;

/// What to change.
#[derive(Args)]
pub(crate) struct MutantsArgs {
    /// The group of files: swarm, library, store, news, or registry
    group: String,
    /// A part of the group: "0/12" is the first of twelve [default: all of it]
    shard: Option<String>,
    /// Build one program with all mutants and a switch, instead of one for each
    #[arg(long)]
    switched: bool,
    /// With --switched: only the mutants that survived the last time
    #[arg(long, requires = "switched")]
    again: bool,
    /// With --switched: leave out tests that take longer
    #[arg(long, requires = "switched", value_name = "SECONDS", default_value_t = 20)]
    longest: u64,
}

/// Tries all mutants of a group or of a part of it. A survivor that is not listed is the error.
pub(crate) fn run(args: &MutantsArgs) -> Result<(), String> {
    let group = groups::named(&args.group)?;
    let workspace = Workspace::find()?;
    tools::CARGO_MUTANTS.provide(&workspace)?;
    let survivors = Survivors::read(&workspace.root)?;
    let trial = Trial::prepare(&workspace, group, args.shard.as_deref())?;
    let found = match args.switched {
        true => switched::run(&trial, &survivors, args.longest, args.again)?,
        false => trial.try_each()?,
    };
    if args.shard.is_none() && !args.again {
        let is_examined =
            |name: &str| group.files.iter().any(|files| name.starts_with(files.trim_end_matches("**/*.rs")));
        for gone in survivors.gone(&found, is_examined) {
            println!("no longer survives, its entry in {LIST} can go: {gone}");
        }
    }
    let unlisted = survivors.unlisted(&found);
    for mutant in &unlisted {
        println!("SURVIVES: {mutant}");
    }
    match unlisted.len() {
        0 => Ok(()),
        count => Err(format!(
            "{count} mutants survive (see above; each as a diff: {}): write a test that fails with it, or add it to {LIST} \
             with the reason",
            trial.output.join("again/mutants.out/diff").display()
        )),
    }
}
