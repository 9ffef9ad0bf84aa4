//! Tests of names, roles and groups.

use super::*;
use proptest::prelude::*;

fn of(names: &[&str]) -> Result<Node, BadNames> {
    Node::of_dns_names(names.iter().copied())
}

fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}

const PEER: &str = "peer.tinytorrent.internal";
const WEB_1: &str = "web-1.node.tinytorrent.internal";

#[test]
fn a_certificate_names_one_node_its_roles_and_its_groups() {
    let node = of(&[
        "web-1.prod.example",
        "TRACKER.tinytorrent.internal",
        PEER,
        "Web-1.Prod.node.TinyTorrent.internal",
        "b.group.tinytorrent.internal",
        "a.group.tinytorrent.internal",
        "a.group.tinytorrent.internal",
    ])
    .unwrap();
    assert_eq!(node.name.as_str(), "web-1.prod");
    assert_eq!(node.roles, [Role::Peer, Role::Tracker].into());
    assert_eq!(node.groups, ["a".parse().unwrap(), "b".parse().unwrap()].into());
    assert_eq!(node.to_string(), "web-1.prod (groups a, b)");
}

#[test]
fn names_that_mean_nothing_to_us_are_passed_over() {
    let foreign = [
        "example.org",
        "*.example.org",
        "peer.tinytorrent.internal.example.org",
        "xpeer.tinytorrent.internal",
        "eviltinytorrent.internal",
        "tracker.eviltinytorrent.internal",
        "tinytorrent.internal",
        ".tinytorrent.internal.",
        "archivist.tinytorrent.internal",
        "x.peer.tinytorrent.internal",
        "tracker.tinytorrent.internal\0",
        " tracker.tinytorrent.internal ",
        "",
    ];
    let node = of(&[&foreign[..], &[PEER, WEB_1]].concat()).unwrap();
    assert_eq!(node, of(&[PEER, WEB_1]).unwrap());
    assert_eq!(of(&foreign), Err(BadNames::NoRole));
}

#[test]
fn what_could_mean_two_things_or_nothing_is_refused() {
    let malformed = |name: &str, why| BadNames::Malformed(name.to_owned(), why);
    let cases: &[(&[&str], BadNames)] = &[
        (&[], BadNames::NoRole),
        (&[WEB_1], BadNames::NoRole),
        (&[PEER], BadNames::NoNode),
        (&[PEER, WEB_1, "web-2.node.tinytorrent.internal"], BadNames::TwoNodes(name("web-1"), name("web-2"))),
        (&["*.tinytorrent.internal", WEB_1], BadNames::Wildcard("*.tinytorrent.internal".to_owned())),
        (
            &[PEER, "*.node.tinytorrent.internal"],
            BadNames::Wildcard("*.node.tinytorrent.internal".to_owned()),
        ),
        (
            &[PEER, WEB_1, "*.group.TinyTorrent.internal"],
            BadNames::Wildcard("*.group.TinyTorrent.internal".to_owned()),
        ),
        (&[PEER, "node.tinytorrent.internal"], malformed("node.tinytorrent.internal", BadLabel::Empty)),
        (&[PEER, ".node.tinytorrent.internal"], malformed(".node.tinytorrent.internal", BadLabel::Empty)),
        (
            &[PEER, "a..b.node.tinytorrent.internal"],
            malformed("a..b.node.tinytorrent.internal", BadLabel::Empty),
        ),
        (
            &[PEER, WEB_1, "group.tinytorrent.internal"],
            malformed("group.tinytorrent.internal", BadLabel::Empty),
        ),
        (
            &[PEER, WEB_1, "a.b.group.tinytorrent.internal"],
            malformed("a.b.group.tinytorrent.internal", BadLabel::Character('.')),
        ),
        (
            &[PEER, "a\u{1b}.node.tinytorrent.internal"],
            malformed("a\u{1b}.node.tinytorrent.internal", BadLabel::Character('\u{1b}')),
        ),
    ];
    for (names, why) in cases {
        assert_eq!(of(names).as_ref(), Err(why), "{names:?}");
    }
}

#[test]
fn groups_are_bounded() {
    let group = |n: usize| format!("g{n}.group.tinytorrent.internal");
    let names =
        |count: usize| (0..count).map(group).chain([PEER.to_owned(), WEB_1.to_owned()]).collect::<Vec<_>>();
    let of = |names: Vec<String>| Node::of_dns_names(names.iter().map(String::as_str));
    assert_eq!(of(names(GROUPS_MAX)).unwrap().groups.len(), GROUPS_MAX);
    assert_eq!(of(names(GROUPS_MAX + 1)), Err(BadNames::TooMany));
}

#[test]
fn bad_names_are_told_by_what_is_wrong_with_them() {
    let cases = [
        ("", BadLabel::Empty),
        (".", BadLabel::Empty),
        ("a.", BadLabel::Empty),
        (".a", BadLabel::Empty),
        ("a b", BadLabel::Character(' ')),
        ("a/b", BadLabel::Character('/')),
        ("*", BadLabel::Character('*')),
        ("é", BadLabel::Character('é')),
        ("a\nb", BadLabel::Character('\n')),
        ("-a", BadLabel::Hyphen),
        ("a.b-", BadLabel::Hyphen),
        (&"a".repeat(64), BadLabel::LabelTooLong),
        (&"a.".repeat(100).repeat(2), BadLabel::TooLong(NODE_BYTES_MAX)),
    ];
    for (text, why) in cases {
        assert_eq!(text.parse::<NodeName>(), Err(why), "{text:?}");
    }
    assert_eq!("a.b".parse::<Group>(), Err(BadLabel::Character('.')));
    assert_eq!("a".repeat(64).parse::<Group>(), Err(BadLabel::TooLong(LABEL_BYTES_MAX)));
}

#[test]
fn the_longest_names_fit_into_dns() {
    let label = "a".repeat(LABEL_BYTES_MAX);
    let longest = format!("{label}.{label}.{label}.{}", "b".repeat(NODE_BYTES_MAX - 3 * 64));
    let node = of(&[PEER, &format!("{longest}.node.{DOMAIN}")]).unwrap();
    assert_eq!(node.name.as_str().len(), NODE_BYTES_MAX);
    assert!(node.dns_names().iter().all(|name| name.len() <= 253));
}

#[test]
fn a_strangers_name_is_escaped_and_shortened() {
    let name = format!("*\u{1b}[2J{}.tinytorrent.internal", "x".repeat(500));
    let said = of(&[&name]).unwrap_err().to_string();
    assert!(said.starts_with("the certificate has the wildcard *\\u{1b}[2Jxxx"), "{said}");
    assert!(said.ends_with("xxx…") && said.len() < 200, "{said}");
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        node in "[a-z0-9_]{1,9}(\\.[a-z0-9]{1,9}){0,3}",
        roles in proptest::collection::btree_set(0..3_usize, 1..=3),
        groups in proptest::collection::btree_set("[a-z0-9_]{1,20}", 0..5),
    ) {
        let node = Node {
            name: node.parse().unwrap(),
            roles: roles.into_iter().map(|n| Role::ALL[n]).collect(),
            groups: groups.iter().map(|text| text.parse().unwrap()).collect(),
        };
        prop_assert_eq!(Node::of_dns_names(node.dns_names().iter().map(String::as_str)), Ok(node));
    }

    #[test]
    fn any_names_give_a_node_or_a_reason(names in proptest::collection::vec(
        "(\\PC{0,8}|[a-z*.-]{0,8})(\\.?(node|group|peer|tracker))?(\\.tinytorrent\\.internal)?", 0..8,
    )) {
        let result = Node::of_dns_names(names.iter().map(String::as_str));
        match result {
            Ok(node) => prop_assert!(!node.roles.is_empty() && node.groups.len() <= GROUPS_MAX),
            Err(why) => prop_assert!(!why.to_string().chars().any(char::is_control)),
        }
    }
}
