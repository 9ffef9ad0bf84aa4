//! Tests that `--watch` has a screen of its own and restores the terminal.

use crate::fake::refused;
use crate::fake::trouble::Loading;
use crate::fleet::Machine;
use crate::pty::{Shown, Terminal};
use rustix::process::Signal;
use shared::rpc::control::{ControlError, ErrorKind};

const WATCHES: [&[&str]; 2] = [&["status", "--watch"], &["fleet", "a.img", "--watch"]];

fn watch(machine: &Machine, columns: u16, rows: u16, args: &[&str]) -> Terminal {
    let terminal = machine.run_with(columns, rows, &[], args);
    terminal.wait_until("its own screen", |shown| shown.is_alternate() && shown.text().contains("q quits"));
    assert!(!terminal.shown().has_cursor());
    terminal
}

/// Checks that the terminal is restored and shows the last contents.
#[track_caller]
fn restored(shown: &Shown) {
    assert!(!shown.is_alternate() && shown.has_cursor(), "{}", shown.text());
    assert!(shown.text().contains("STATE") && !shown.text().contains("quits"), "{}", shown.text());
    assert!(shown.wrapped.is_empty(), "{:#?}", shown.wrapped);
}

#[test]
fn a_watch_fits_its_terminal_and_ends_with_q() {
    let machine = Machine::full();
    for args in WATCHES {
        for columns in [40, 60, 80, 140] {
            let terminal = watch(&machine, columns, 40, args);
            terminal.type_in("q");
            let (code, shown) = terminal.end();
            assert_eq!(code, 0);
            restored(&shown.lock().unwrap());
        }
    }
}

#[test]
fn whatever_ends_a_watch_the_terminal_is_as_it_was() {
    let machine = Machine::full();
    for args in WATCHES {
        let terminal = watch(&machine, 80, 40, args);
        terminal.type_in("\x03");
        let (code, shown) = terminal.end();
        assert_eq!(code, 130, "^C");
        restored(&shown.lock().unwrap());
        assert!(!shown.lock().unwrap().text().contains("error:"), "{}", shown.lock().unwrap().text());
        for (signal, end) in [(Signal::INT, 130), (Signal::TERM, -15), (Signal::HUP, -1)] {
            let terminal = watch(&machine, 80, 40, args);
            terminal.signal(signal);
            let (code, shown) = terminal.end();
            assert_eq!(code, end, "{signal:?}");
            restored(&shown.lock().unwrap());
        }
    }
}

#[test]
fn an_error_ends_a_watch_below_what_was_seen_last() {
    let machine = Machine::full();
    let terminal = watch(&machine, 80, 40, &["status", "--watch"]);
    machine.fake.state().lost = Some(refused("it is over"));
    let (code, shown) = terminal.end();
    assert_eq!(code, 4);
    restored(&shown.lock().unwrap());
    assert!(shown.lock().unwrap().text().ends_with("error: it is over"));
}

#[test]
fn a_watch_outlives_a_restart_of_ttd() {
    let machine = Machine::full();
    let socket = machine.fake.folder.path().join(".tinytorrent/ttd.sock");
    let elsewhere = socket.with_extension("gone");
    for args in [&["status", "--watch"][..], &["status", "a.img", "--watch"], &["status", "a*", "--watch"]] {
        let terminal = watch(&machine, 80, 40, args);
        terminal.wait_until("the file", |shown| shown.text().contains("\na.img"));
        std::fs::rename(&socket, &elsewhere).unwrap();
        let stops = ControlError { kind: ErrorKind::Stopping, ..refused("ttd stops") };
        machine.fake.state().lost = Some(stops);
        terminal.wait_until("that ttd is waited for", |shown| {
            shown.text().contains("ttd has stopped; waiting for it to come back")
        });
        assert!(terminal.shown().text().contains("\na.img"), "what was seen last stays");
        std::fs::rename(&elsewhere, &socket).unwrap();
        terminal.wait_until("that it is back", |shown| !shown.text().contains("waiting for it"));
        assert!(terminal.shown().text().contains("\na.img"), "{}", terminal.shown().text());
        terminal.type_in("q");
        let (code, shown) = terminal.end();
        assert_eq!(code, 0);
        restored(&shown.lock().unwrap());
    }
}

#[test]
fn words_that_mean_nothing_are_shown_once_ttd_knows_all_names() {
    let machine = Machine::full();
    machine.fake.state().trouble.loading = Some(Loading::TooLate);
    let terminal = watch(&machine, 80, 40, &["status", "a*", "none-*", "nothing.img", "--watch"]);
    terminal.wait_until("that it is loading", |shown| shown.text().contains("is loading its directory"));
    let loading = terminal.shown().text();
    assert!(loading.contains("\na.img") && !loading.contains("none-*"), "{loading}");
    machine.fake.state().trouble.loading = None;
    terminal.wait_until("what is unknown", |shown| shown.text().contains("no file matches none-*"));
    let unknown = terminal.shown().text();
    assert!(unknown.contains("\na.img") && unknown.contains("\nno such file: nothing.img"), "{unknown}");
    let mut here = machine.fake.state().here.clone();
    here[1].name = "nothing.img".parse().unwrap();
    machine.fake.state().here = here;
    terminal.wait_until("that it has come", |shown| shown.text().contains("\nnothing.img"));
    assert!(!terminal.shown().text().contains("no such file"), "{}", terminal.shown().text());
    terminal.type_in("q");
    assert_eq!(terminal.end().0, 0);
}

#[test]
fn a_watch_is_drawn_anew_when_the_terminal_has_another_size() {
    let machine = Machine::full();
    let terminal = watch(&machine, 140, 40, &["status", "--watch"]);
    terminal.wait_until("a column", |shown| shown.text().contains("TO PEERS"));
    terminal.resize(40, 60);
    terminal.wait_until("no such column", |shown| !shown.text().contains("TO PEERS"));
    terminal.resize(9, 60);
    terminal.wait_until("how many are not seen", |shown| shown.text().contains("more: ↑ ↓ scroll"));
    terminal.type_in("q");
    assert_eq!(terminal.end().0, 0);
}

#[test]
fn more_rows_than_the_screen_has_are_scrolled() {
    let machine = Machine::full();
    let terminal = watch(&machine, 80, 8, &["status", "--watch"]);
    terminal.wait_until("the first", |shown| shown.text().contains("\na.img"));
    assert!(!terminal.shown().text().contains("checking"), "{}", terminal.shown().text());
    terminal.type_in("G");
    terminal.wait_until("the last", |shown| shown.text().contains("checking 42 %"));
    terminal.type_in("\x1b[5~\x1b[5~\x1b[5~\x1b[5~");
    terminal.wait_until("the first", |shown| shown.text().contains("\na.img"));
    terminal.type_in("\x1b[B");
    terminal.wait_until("the second", |shown| !shown.text().contains("\na.img"));
    assert!(!terminal.shown().text().contains("checking"), "{}", terminal.shown().text());
    terminal.type_in("q");
    let (code, shown) = terminal.end();
    let text = shown.lock().unwrap().text();
    assert!(
        code == 0 && text.contains("checking 42 %") && !text.contains("more"),
        "all is left behind: {text}"
    );
}
