//! Tests of whole commands with files and a fake daemon.

mod fake;
mod files;
mod flows;
mod identity;
mod json;
mod moves;
mod restarts;
mod several;
mod signatures;
mod trackers;
mod tree_copies;
mod trees;

use crate::cli::Cli;
use crate::error::Error;
use crate::output::Output;
use clap::Parser;
use shared::host::tree::{TreeFiles, hash_tree, open_top, read_tree};
use shared::id::{ChunkHash, ResourceId};
use shared::manifest::Manifest;
use shared::tree::{Symlinks, TreeOptions};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Runs a command line. Returns what it printed and how it ended.
fn ttctl(args: &[&str]) -> (String, Result<(), Error>) {
    let cli = Cli::try_parse_from(["ttctl"].iter().chain(args)).expect("the command line is well formed");
    let sink = Sink::default();
    let mut output = Output::to(sink.clone(), &cli.global);
    let result = crate::run(&cli, &mut output);
    output.flush().unwrap();
    drop(output);
    (sink.text(), result)
}

/// Like [`ttctl`], for commands that must fail. Returns the exit code and the message.
fn ttctl_fails(args: &[&str]) -> (u8, String) {
    let (printed, result) = ttctl(args);
    let error = result.expect_err(&format!("it should have failed: {printed}"));
    (error.exit_code(), error.message)
}

/// Collects what is written to any of its clones.
#[derive(Clone, Default)]
pub(crate) struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 4096 + at % 251) as u8).collect()
}

fn manifest(name: &str, bytes: &[u8]) -> Manifest {
    let hashes = bytes.chunks(1 << 20).map(ChunkHash::of).collect();
    let trackers = vec!["tt://tracker.example".parse().unwrap()];
    Manifest::new(name.parse().unwrap(), ResourceId::of(bytes), trackers, hashes).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The tar that a directory is sent as. All links are carried.
pub(crate) fn tar(directory: &Path) -> Vec<u8> {
    let files = TreeFiles::new(open_top(directory).unwrap());
    let options = TreeOptions { symlinks: Symlinks::Any, skip_special: false, has_times: true };
    let name = directory.file_name().unwrap().to_str().unwrap().parse().unwrap();
    let hashed =
        hash_tree(open_top(directory).unwrap(), &name, options, &|_, _| ControlFlow::Continue(())).unwrap();
    let (walked, mut tar) = (hashed.walked, Vec::new());
    read_tree(&files, &walked, &mut |chunk: Vec<u8>| {
        tar.extend_from_slice(&chunk);
        ControlFlow::Continue(())
    })
    .unwrap();
    let (begin, sums) = (tar.len(), walked.layout.sums_range());
    tar.resize(walked.layout.bytes() as usize, 0);
    walked.layout.fill_synthetic(begin as u64, &mut tar[begin..]);
    tar[sums.start as usize..sums.end as usize].copy_from_slice(&hashed.sums.to_bytes(&walked.layout));
    tar
}
