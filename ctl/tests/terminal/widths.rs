//! Tests that no table, bar or overwritten line is wider than the terminal.

use crate::fake::{State_, accepted};
use crate::fleet::{Machine, NAMES, resource};
use crate::pty::Shown;
use shared::id::ResourceId;

const WIDTHS: [u16; 4] = [40, 60, 80, 140];

#[test]
fn no_table_is_wider_than_the_terminal() {
    let machine = Machine::full();
    std::fs::write(machine.home.path().join("hosts"), "10.20.130.1\n10.20.130.99\n").unwrap();
    for columns in WIDTHS {
        for line in [
            "status",
            "list",
            "peers",
            "peers a.img",
            "fleet a.img",
            "fleet a.img --expect hosts",
            "tracker list",
            "tracker peers a.img",
            "tracker resources 10.20.130.1",
            "limit",
        ] {
            let args: Vec<&str> = line.split(' ').collect();
            let (code, shown) = machine.run(columns, &args).end();
            let shown = shown.lock().unwrap();
            assert_eq!(code, 0, "{line}: {}", shown.text());
            assert!(shown.wrapped.is_empty(), "{line} at {columns}: {:#?}\n{}", shown.wrapped, shown.text());
            assert!(shown.text().lines().count() > 1, "{line}: {}", shown.text());
        }
        for name in NAMES {
            let (code, shown) = machine.run(columns, &["status", name]).end();
            let shown = shown.lock().unwrap();
            assert_eq!(code, 0, "{}", shown.text());
            let is_name = |line: &String| line.starts_with("name");
            assert!(shown.wrapped.iter().all(is_name), "{columns}: {:#?}\n{}", shown.wrapped, shown.text());
        }
    }
}

#[test]
fn nothing_is_shortened_with_full() {
    let machine = Machine::full();
    let (_, shown) = machine.run(400, &["tracker", "list", "--full"]).end();
    let text = shown.lock().unwrap().text();
    for name in NAMES {
        assert!(text.contains(name) && text.contains(&ResourceId::of(name.as_bytes()).to_string()), "{text}");
    }
}

#[test]
fn the_environment_can_make_it_narrower() {
    let machine = Machine::full();
    let widest = |env: &[(&str, &str)]| {
        let (code, shown) = machine.run_with(140, 400, env, &["status"]).end();
        let text = shown.lock().unwrap().text();
        assert_eq!(code, 0, "{text}");
        text.lines().map(|line| line.trim_end().chars().count()).max().unwrap_or(0)
    };
    assert!(widest(&[]) > 60, "there is something to make narrower");
    assert!((40..=60).contains(&widest(&[("COLUMNS", "60")])), "{}", widest(&[("COLUMNS", "60")]));
}

#[test]
fn there_are_no_colours_where_none_are_wanted() {
    let machine = Machine::full();
    let has_colours = |env: &[(&str, &str)]| {
        let (_, shown) = machine.run_with(80, 400, env, &["status"]).end();
        let shown = shown.lock().unwrap();
        assert!(shown.text().contains("seeding"), "{}", shown.text());
        shown.has_colours()
    };
    assert!(has_colours(&[]));
    assert!(!has_colours(&[("NO_COLOR", "1")]));
    assert!(!has_colours(&[("TERM", "dumb")]));
}

#[test]
fn the_bar_of_a_download_fits_and_is_wiped() {
    for columns in WIDTHS {
        for name in NAMES {
            let machine = Machine::empty();
            let id = ResourceId::of(name.as_bytes());
            machine.fake.state().accepted = Some(Ok(accepted(name, id, false)));
            machine.fake.state().watched =
                [resource(name, State_::Downloading), resource(name, State_::Waiting)].into();
            let terminal = machine.run_with(columns, 24, &[], &["get", name]);
            terminal.wait_until("a reason", |shown| shown.text().contains("\n  the only useful"));
            terminal.wait_until("how far", |shown| shown.text().contains("50 %"));
            machine.fake.state().watched = [resource(name, State_::Seeding)].into();
            let (code, shown) = terminal.end();
            let shown = shown.lock().unwrap();
            assert_eq!(code, 0, "{}", shown.text());
            let is_result = |text: &String| shown.text().contains(text.as_str());
            assert!(shown.wrapped.iter().all(is_result), "{columns}: {:#?}", shown.wrapped);
            assert!(shown.text().starts_with("/srv/tinytorrent/"), "{}", shown.text());
        }
    }
}

#[test]
fn a_message_stands_above_the_bar() {
    for columns in WIDTHS {
        let machine = Machine::empty();
        let id = ResourceId::of(b"x");
        let socket = machine.fake.folder.path().join(".tinytorrent/ttd.sock");
        let elsewhere = socket.with_extension("gone");
        machine.fake.state().accepted = Some(Ok(accepted("x", id, false)));
        machine.fake.state().watched = [resource("x", State_::Waiting)].into();
        let terminal = machine.run_with(columns, 24, &[], &["get", "x"]);
        terminal.wait_until("a reason", |shown| shown.text().contains("\n  the only useful"));
        std::fs::rename(&socket, &elsewhere).unwrap();
        machine.fake.state().trouble.cut();
        let message = "ttd has stopped; waiting for it to come back";
        let in_one_line = |shown: &Shown| shown.text().split_whitespace().collect::<Vec<_>>().join(" ");
        terminal.wait_until("a message", |shown| in_one_line(shown).contains(message));
        let text = terminal.shown().text();
        assert!(text.starts_with("ttd has stopped"), "it has lines of its own, without a bar above: {text}");
        assert!(text.contains("\nx ") && text.contains("\n  the only useful"), "the bar is below: {text}");
        std::fs::rename(&elsewhere, &socket).unwrap();
        terminal.wait_until("that it is back", |shown| shown.text().contains("\nttd is back\nx "));
        assert_eq!(terminal.shown().text().matches("the only useful").count(), 1, "the bar was wiped");
        machine.fake.state().watched = [resource("x", State_::Seeding)].into();
        assert_eq!(terminal.end().0, 0);
    }
}

#[test]
fn the_line_of_a_wait_fits_and_is_wiped() {
    for columns in [20, 60, 140] {
        let machine = Machine::full();
        machine.fake.state().counted = (0..200).map(|_| Ok(3)).collect();
        let terminal = machine.run_with(columns, 24, &[], &["wait", NAMES[4], "--peers", "4"]);
        terminal.wait_until("a count", |shown| shown.text().starts_with("lab-2026"));
        machine.fake.state().counted = [Ok(4)].into();
        let (code, shown) = terminal.end();
        let shown = shown.lock().unwrap();
        assert_eq!(code, 0, "{}", shown.text());
        assert!(shown.text().replace('\n', "").contains("done on 4 of 5"), "{}", shown.text());
        assert!(!shown.text().contains("done on 3"), "{}", shown.text());
        let is_result = |text: &String| shown.text().contains(text.as_str());
        assert!(shown.wrapped.iter().all(is_result), "{columns}: {:#?}", shown.wrapped);
    }
}
