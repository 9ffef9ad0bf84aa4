use super::*;
use crate::tests::Sink;
use shared::id::ResourceId;
use shared::tls_mode::TlsMode;
use shared::wanted::WantedBy;

fn resources() -> Vec<ResourceStatus> {
    let done = ResourceStatus {
        name: "lab.img".parse().unwrap(),
        resource: ResourceId::of(b"lab"),
        state: State::Seeding,
        reason: None,
        reason_here: None,
        kind: None,
        chunks_have: 4096,
        chunks_total: 4096,
        bytes_have: (4 << 30) - 5,
        bytes_total: Some((4 << 30) - 5),
        bytes_told: None,
        peers: 0,
        download_bytes_per_s: 0,
        upload_bytes_per_s: 110 << 20,
        downloaded_bytes: 0,
        uploaded_bytes: 9 << 30,
        eta_s: None,
        trackers: Vec::new(),
        upload_peers: 31,
        wanted_by: Default::default(),
        added_at_ms: None,
        path: Some("/srv/tt/lab.img".into()),
        taken_back: false,
        bytes_fetched: 17 << 20,
        bytes_reused: 2 << 20,
        chunks_reused: 2,
        reused_from: vec!["old.grib2".parse().unwrap()],
        chunks_from_files: 2,
        signed: None,
        is_tree: false,
    };
    let waiting = ResourceStatus {
        name: "weather.grib2".parse().unwrap(),
        resource: ResourceId::of(b"weather"),
        state: State::Waiting,
        reason: Some("no peer has chunk 17".into()),
        reason_here: Some("no peer has chunk 17".into()),
        chunks_have: 17,
        chunks_total: 80,
        bytes_have: 17 << 20,
        bytes_total: None,
        peers: 1,
        upload_bytes_per_s: 0,
        uploaded_bytes: 0,
        downloaded_bytes: 17 << 20,
        trackers: Vec::new(),
        eta_s: Some(75),
        upload_peers: 0,
        wanted_by: vec![
            WantedBy::User { uid: 1000, name: Some("alice".to_owned()) },
            WantedBy::User { uid: 1234, name: None },
            WantedBy::Found,
        ]
        .into(),
        ..done.clone()
    };
    vec![done, waiting]
}

/// The state without TLS.
fn open() -> TlsState {
    TlsState { mode: TlsMode::Off, node: None, not_after: None, fault: None, line: "TLS is off".to_owned() }
}

fn shown(resources: &[ResourceStatus], what: Option<&str>, json: bool) -> String {
    let sink = Sink::default();
    let mut output = Output::to(sink.clone(), &Global { json, ..Global::default() });
    match what {
        Some(what) => show_one(resources, what, &mut output).unwrap(),
        None => show(resources, &open(), &mut output).unwrap(),
    }
    output.flush().unwrap();
    sink.text()
}

#[test]
fn the_table() {
    assert_eq!(
        shown(&resources(), None, false),
        "\
NAME           STATE     DONE      SIZE  PEERS         UP  TO PEERS        LEFT  REASON
lab.img        seeding  100 %   4.0 GiB      0  110 MiB/s        31
weather.grib2  waiting   21 %  ≤ 80 MiB      1                       1 min 15 s  no peer has chunk 17
"
    );
}

#[test]
fn the_details() {
    assert_eq!(
        shown(&resources()[1..], Some("weather.grib2"), false),
        "\
name      weather.grib2
id        e5e72beb4e3c6926d3dc9e3e2ef7833ba50cd919c2460a782b244fd071e920de
path      /srv/tt/lab.img
size      ≤ 80 MiB
state     waiting
reason    no peer has chunk 17
done      21 % (17 of 80 chunks, 17 MiB of ≤ 80 MiB)
peers     1
download  0 B/s
upload    0 B/s
received  17 MiB since ttd started
reused    2.0 MiB (2 chunks) from old.grib2
sent      0 B since ttd started
left      1 min 15 s
wanted by alice, uid 1234, found in the shared directory
"
    );
}

#[test]
fn the_json_of_one_is_flat_and_of_all_a_list() {
    let id = ResourceId::of(b"weather");
    let fields = format!(
        "\"name\":\"weather.grib2\",\"resource\":\"{id}\",\"state\":\"waiting\",\
         \"reason\":\"no peer has chunk 17\",\"chunks_have\":17,\"chunks_total\":80,\
         \"bytes_have\":17825792,\"bytes_total\":null,\"peers\":1,\"download_bytes_per_s\":0,\
         \"upload_bytes_per_s\":0,\"eta_s\":75,\"downloaded_bytes\":17825792,\"uploaded_bytes\":0,\
         \"exit_code\":null,\"trackers\":[],\"upload_peers\":0,\
         \"wanted_by\":[\"alice\",\"uid 1234\",\"found in the shared directory\"],\"bytes_told\":null,\
         \"id\":\"{id}\",\"path\":\"/srv/tt/lab.img\",\"added_at_ms\":null,\"taken_back\":false,\
         \"bytes_fetched\":17825792,\"bytes_reused\":2097152,\"chunks_reused\":2,\"reused_from\":[\"old.grib2\"],\"kind\":\"file\",\"signed\":null}}"
    );
    assert_eq!(
        shown(&resources(), Some("weather.grib2"), true),
        format!("{{\"schema_version\":1,{fields}\n")
    );
    let all = shown(&resources(), None, true);
    assert!(all.starts_with("{\"schema_version\":1,\"resources\":[{\"name\":\"lab.img\","), "{all}");
    assert!(
        all.ends_with(&format!(
            ",{{{fields}],\"tls\":{{\"mode\":\"off\",\"node\":null,\"not_after\":null,\"fault\":null}}}}\n"
        )),
        "{all}"
    );
}

#[test]
fn the_name_that_was_asked_for_comes_before_others_of_its_id() {
    let both = resources();
    assert_eq!(best(&both, "weather.grib2").unwrap().name.as_str(), "weather.grib2");
    assert_eq!(best(&both, "e5e72beb").unwrap().name.as_str(), "lab.img");
    assert_eq!(best(&[], "x").unwrap_err().exit_code(), 4);
}

#[test]
fn a_line_for_a_pipe() {
    assert!(line(&resources()[0]).ends_with(", 0 peers, down 0 B/s, up 110 MiB/s to 31 peers"));
    assert_eq!(
        line(&resources()[1]),
        "weather.grib2: waiting 21 %, 17 MiB of ≤ 80 MiB, 1 peer, down 0 B/s, up 0 B/s, 1 min 15 s left; \
         no peer has chunk 17"
    );
}
