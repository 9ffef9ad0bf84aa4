use super::*;
use crate::tests::Sink;
use shared::id::ResourceId;

fn of_file(number: u64, what: FileEvent) -> Happened {
    let (name, resource) = ("lab.img".parse().unwrap(), ResourceId::of(b"lab"));
    Happened { number, at_ms: 1_772_348_759_123, event: Happening::File { name, resource, what } }
}

fn complete() -> FileEvent {
    FileEvent::Complete {
        bytes: 61 << 20,
        received: 61 << 20,
        took_ms: 4_200,
        sources: 3,
        reused: 0,
        chunks_reused: 0,
    }
}

fn lost() -> Happened {
    let (tracker, reason) = ("tt://t".parse().unwrap(), "connection\u{7} refused".to_owned());
    let event = Happening::Tracker { tracker, what: TrackerEvent::Lost { reason } };
    Happened { number: 9, at_ms: 1_772_348_759_123, event }
}

fn shown(events: Vec<Happened>, what: &[&str], since_ms: u64, json: bool) -> String {
    let (sink, what) = (Sink::default(), what.iter().map(|what| (*what).to_owned()).collect::<Vec<_>>());
    let mut output = Output::to(sink.clone(), &Global { json, ..Global::default() });
    let page = EventPage { newest: 9, missed: 0, events };
    show(&page, &Filter::new(&what, Some(since_ms)), &mut output).unwrap();
    sink.text()
}

#[test]
fn a_line_says_what_happened_to_what() {
    let output = Output::to(Vec::new(), &Global::default());
    let rest = |happened: &Happened| lines(happened, &output).concat().split_once("  ").unwrap().1.to_owned();
    let id = ResourceId::of(b"lab");
    assert_eq!(rest(&of_file(1, FileEvent::Shared)), format!("shared        lab.img  {id}"));
    assert_eq!(
        rest(&of_file(1, complete())),
        "complete      lab.img  61 MiB in 4.2 s (15 MiB/s) from 3 peers"
    );
    let adopted =
        FileEvent::Complete { bytes: 7, received: 0, took_ms: 0, sources: 0, reused: 0, chunks_reused: 0 };
    assert_eq!(rest(&of_file(1, adopted)), "complete      lab.img  7 B, nothing was left to fetch");
    let restarted = FileEvent::Complete {
        bytes: 61 << 20,
        received: 12 << 20,
        took_ms: 4_000,
        sources: 1,
        reused: 0,
        chunks_reused: 0,
    };
    assert_eq!(
        rest(&of_file(1, restarted)),
        "complete      lab.img  61 MiB, 12 MiB of it fetched in 4 s (3.0 MiB/s) from 1 peer"
    );
    let stalled = FileEvent::Stalled { reason: "nothing arrives".to_owned(), still_s: 300 };
    assert_eq!(
        rest(&of_file(1, stalled)),
        "stalled       lab.img  no progress for 5 min 00 s: nothing arrives"
    );
    assert_eq!(rest(&lost()), "tracker_lost  tt://t  connection\\u{7} refused");
}

#[test]
fn a_terminal_has_what_happened_below_a_name_that_is_long() {
    let at = |columns| {
        let output = Output::to(Vec::new(), &Global::default()).at_terminal(columns);
        let lines = lines(&of_file(1, complete()), &output);
        let all_fit = lines.iter().all(|line| width(line) <= columns);
        assert!(all_fit, "{columns}: {lines:#?}");
        lines.iter().skip(1).cloned().collect::<Vec<_>>()
    };
    assert!(at(120).is_empty());
    assert_eq!(at(70), [format!("{:35}61 MiB in 4.2 s (15 MiB/s) from 3", ""), format!("{:35}peers", "")]);
    assert_eq!(at(60), ["  61 MiB in 4.2 s (15 MiB/s) from 3 peers"]);
}

#[test]
fn json_has_a_document_for_each_with_what_belongs_to_it_alone() {
    let id = ResourceId::of(b"lab");
    assert_eq!(
        shown(vec![of_file(8, complete()), lost()], &[], 0, true),
        format!(
            "{{\"schema_version\":1,\"time_ms\":1772348759123,\"event\":\"complete\",\"number\":8,\"name\":\"lab.img\",\
             \"id\":\"{id}\",\"bytes\":63963136,\"received_bytes\":63963136,\"took_ms\":4200,\
             \"bytes_per_s\":15229318,\"sources\":3,\"bytes_fetched\":63963136,\"bytes_reused\":0,\
             \"chunks_reused\":0}}\n\
             {{\"schema_version\":1,\"time_ms\":1772348759123,\"event\":\"tracker_lost\",\"number\":9,\
             \"tracker\":\"tt://t\",\"reason\":\"connection\\u0007 refused\"}}\n"
        )
    );
}

#[test]
fn a_name_or_an_id_or_a_time_chooses_among_them() {
    let id = ResourceId::of(b"lab").to_string();
    let lines = |what: &[&str], since_ms| {
        shown(vec![of_file(1, FileEvent::Paused), lost()], what, since_ms, false).lines().count()
    };
    assert_eq!(lines(&[], 0), 2);
    for what in ["lab.img", "lab.img.tinytorrent", "l*", "*.img", &id, &id[..8]] {
        assert_eq!(lines(&[what], 0), 1, "{what}");
    }
    assert_eq!(lines(&["other", &id[..7]], 0), 0);
    assert_eq!(lines(&["other", "lab.img"], 0), 1);
    assert_eq!(lines(&[], 1_772_348_759_124), 0);
}

#[test]
fn who_was_too_slow_is_told_how_many_are_missing() {
    let sink = Sink::default();
    let mut output = Output::to(sink.clone(), &Global { json: true, ..Global::default() });
    let page = EventPage { newest: 2000, missed: 17, events: Vec::new() };
    show(&page, &Filter::new(&[], None), &mut output).unwrap();
    assert!(sink.text().contains("\"event\":\"missed\",\"missed\":17}"), "{}", sink.text());
}

#[test]
fn old_events_are_missed_only_by_whoever_asked_for_them() {
    let page = EventPage { newest: 2000, missed: 976, events: vec![of_file(977, FileEvent::Paused)] };
    let oldest = page.events[0].at_ms;
    assert!(!lacks_some(&page, None));
    assert!(!lacks_some(&page, Some(oldest)) && !lacks_some(&page, Some(oldest + 1)));
    assert!(lacks_some(&page, Some(oldest - 1)));
}

#[test]
fn a_word_means_the_file_of_this_name_before_the_directory() {
    let what = ["app".to_owned()];
    let happened = |name: &str| {
        let (name, resource) = (name.parse().unwrap(), ResourceId::of(name.as_bytes()));
        let event = Happening::File { name, resource, what: FileEvent::Shared };
        Happened { number: 1, at_ms: 1, event }
    };
    let here = |names: &[(&str, bool)]| {
        let filter = Filter::new(&what, None);
        let known = |&(name, may_be_tree): &(&str, bool)| Known {
            name: name.parse().unwrap(),
            id: ResourceId::of(name.as_bytes()),
            may_be_tree,
        };
        *filter.here.borrow_mut() = names.iter().map(known).collect();
        ["app", "app.tar"].map(|name| filter.takes(&happened(name)))
    };
    assert_eq!(here(&[("app.tar", true)]), [true, true]);
    assert_eq!(here(&[("app", false), ("app.tar", true)]), [true, false]);
    assert_eq!(here(&[("app.tar", false)]), [true, false], "that is a plain file");
    assert_eq!(here(&[]), [true, true], "both are gone, and may have been directories");
}
