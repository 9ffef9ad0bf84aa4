//! Parsing and writing of all units.

use super::mode::MODE;
use super::rate::RATE_LIMIT;
use super::span::SPAN_MS_MAX;
use super::{BadUnit, ByteSize, FileMode, Rate, RateLimit, Span};
use proptest::prelude::*;
use std::fmt::Debug;
use std::str::FromStr;

fn reads<T: FromStr<Err = BadUnit> + Debug + PartialEq>(text: &str, value: T) {
    assert_eq!(text.parse::<T>(), Ok(value), "{text:?}");
}

#[test]
fn people_write_units_in_many_ways() {
    reads("100 MB/s", Rate(100_000_000));
    reads("100MB/s", Rate(100_000_000));
    reads(" 1.5 MiB/s ", Rate(3 << 19));
    reads("10 Mbit/s", Rate(1_250_000));
    reads("800 kbit/s", Rate(100_000));
    reads("0.5 GB/s", Rate(500_000_000));
    reads("9 bit/s", Rate(1));
    reads("none", RateLimit::None);
    reads("1 B/s", RateLimit::AtMost(Rate(1)));
    for zero in ["0", " 0 ", "0.0", "0 MB/s", "0.00 kbit/s"] {
        reads(zero, RateLimit::Pause);
    }
    reads("64 MiB", ByteSize(64 << 20));
    reads("0", ByteSize(0));
    reads("18446744073709551615 B", ByteSize(u64::MAX));
    reads("2 s", Span(2_000));
    reads("1.5 h", Span(5_400_000));
    reads("90", Span(90_000));
    reads("5 min", Span(300_000));
    for text in ["1h30m", "1h 30m", "1 h 30 min", "90m", "1hour 30 minutes", " 1h30m0s "] {
        reads(text, Span(5_400_000));
    }
    reads("90s", Span(90_000));
    reads("2d", Span(172_800_000));
    reads("1.5s250ms", Span(1_750));
    reads("0644", FileMode(0o644));
    reads("777", FileMode(0o777));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let bad_rates = [
        "",
        " ",
        "-1 MB/s",
        "+1 MB/s",
        "NaN",
        "inf MB/s",
        "1e9",
        ".5 MB/s",
        "5. MB/s",
        "1.2.3 MB/s",
        "0",
        "0 MB/s",
        "5",
        "500000",
        "1.5",
        "7 bit/s",
        "100 MB",
        "100 mb/s",
        "100 Mb/s",
        "MB/s",
        "18446744073709551616",
        "99999999999999999999999999 GB/s",
        "18446744073 GiB/s",
        "0.0000000001 GB/s",
        "１ MB/s",
        "none",
    ];
    for text in bad_rates {
        assert!(text.parse::<Rate>().is_err(), "{text:?}");
    }
    for text in ["", "unlimited", "5", "-1", "0 MB", "0.1 B/s", "."] {
        assert!(text.parse::<RateLimit>().is_err(), "{text:?}");
    }
    for text in ["", "1 parsec", "17 TiBs", "-0", "17179869184 GiB"] {
        assert!(text.parse::<ByteSize>().is_err(), "{text:?}");
    }
    for text in [
        "",
        "0",
        "0.0001 s",
        "4000 d",
        "2 weeks",
        "1h30",
        "30 1h",
        "1h-30m",
        "1h m",
        "1h.5",
        "3000d 3000d",
        "forever",
    ] {
        assert!(text.parse::<Span>().is_err(), "{text:?}");
    }
    for text in ["", "8", "0888", "rw-", "01000", "1777", "-644", "0o644"] {
        assert!(text.parse::<FileMode>().is_err(), "{text:?}");
    }
}

#[test]
fn an_error_says_what_was_expected() {
    let error = "fast".parse::<RateLimit>().unwrap_err().to_string();
    assert_eq!(error, format!("it must begin with a number; expected {RATE_LIMIT}"));
    let error = |text: &str| text.parse::<RateLimit>().unwrap_err().to_string();
    assert_eq!(error("5"), "missing unit, as in \"5 MB/s\"");
    assert_eq!(error("500000"), "missing unit, as in \"500000 B/s\"");
    assert_eq!("8".parse::<FileMode>().unwrap_err().to_string(), format!("expected {MODE}"));
}

#[test]
fn a_misspelt_unit_is_told_how_it_is_written() {
    let rate = |text: &str| text.parse::<RateLimit>().unwrap_err().to_string();
    for (text, message) in [
        ("50MB", "unknown unit \"MB\": write \"50 MB/s\""),
        ("50 mbit/s", "unknown unit \"mbit/s\": write \"50 Mbit/s\""),
        ("50 mbit", "unknown unit \"mbit\": write \"50 Mbit/s\""),
        ("1.5 mib/s", "unknown unit \"mib/s\": write \"1.5 MiB/s\""),
        ("50Mb", "unknown unit \"Mb\": write \"50 MB/s\" or \"50 Mbit/s\""),
        ("100 Mbps", "unknown unit \"Mbps\": write \"100 MB/s\" or \"100 Mbit/s\""),
        ("100 KBps", "unknown unit \"KBps\": write \"100 kB/s\""),
        ("8 M", "unknown unit \"M\": write \"8 MiB/s\" or \"8 MB/s\" or \"8 Mbit/s\""),
    ] {
        assert_eq!(rate(text), message, "{text}");
    }
    let size = |text: &str| text.parse::<ByteSize>().unwrap_err().to_string();
    assert_eq!(size("64mib"), "unknown unit \"mib\": write \"64 MiB\"");
    assert_eq!(size("64G"), "unknown unit \"G\": write \"64 GiB\" or \"64 GB\"");
    let span = |text: &str| text.parse::<Span>().unwrap_err().to_string();
    assert_eq!(span("2H"), "unknown unit \"H\": write \"2 h\"");
    assert_eq!(span("1h30"), "\"30\" has no unit, as in \"30 min\"");
    assert!(span("2 weeks").starts_with("unknown unit; expected "));
}

#[test]
fn values_are_written_in_the_largest_unit_that_fits() {
    let written = [
        (ByteSize(0).to_string(), "0 B"),
        (ByteSize(64 << 20).to_string(), "64 MiB"),
        (ByteSize(1_500_000).to_string(), "1500 kB"),
        (Rate(1_250_000).to_string(), "1.25 MB/s"),
        (Rate(12_500_000).to_string(), "12.5 MB/s"),
        (Rate(400_000).to_string(), "400 kB/s"),
        (Rate(20_000_000).to_string(), "20 MB/s"),
        (Rate(10_240).to_string(), "10 KiB/s"),
        (Rate(3_125_000).to_string(), "25 Mbit/s"),
        (Rate(1_234_567).to_string(), "1234567 B/s"),
        (Rate(u64::MAX).to_string(), "18446744073709551615 B/s"),
        (RateLimit::None.to_string(), "none"),
        (RateLimit::Pause.to_string(), "0"),
        (Span(3_600_000).to_string(), "1 h"),
        (Span(1_500).to_string(), "1500 ms"),
        (FileMode(0o7).to_string(), "0007"),
    ];
    for (text, expected) in written {
        assert_eq!(text, expected);
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_the_same(n in any::<u64>(), scale in 0_u32..40, mode in 0_u32..=0o777) {
        let n = n >> scale;
        reads(&ByteSize(n).to_string(), ByteSize(n));
        if let Some(rate) = Rate::new(n) {
            reads(&rate.to_string(), rate);
        }
        if let Some(span) = Span::from_millis(n % (SPAN_MS_MAX + 1)) {
            reads(&span.to_string(), span);
        }
        reads(&FileMode(mode).to_string(), FileMode(mode));
    }

    #[test]
    fn no_text_makes_a_panic(text in ".*") {
        let _ = text.parse::<RateLimit>();
        let _ = text.parse::<ByteSize>();
        let _ = text.parse::<Span>();
        let _ = text.parse::<FileMode>();
    }

    #[test]
    fn no_number_makes_a_panic(text in "-?[0-9]{0,30}\\.?[0-9]{0,12} ?[kMGT]?i?(B|bit|s|h|d)?(/s)?") {
        let _ = text.parse::<RateLimit>();
        let _ = text.parse::<ByteSize>();
        let _ = text.parse::<Span>();
    }
}
