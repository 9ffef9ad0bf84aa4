//! The lower bounds that no schedule can beat.

use crate::Link;
use std::time::Duration;

/// The fluid lower bound T* of bringing `bytes` from a seeder to all leechers: the seeder must send everything
/// once, each leecher receive everything, and all uplinks together carry every copy.
pub fn bound(bytes: u64, seeder: Link, leechers: &[Link]) -> Duration {
    let bytes = bytes as f64;
    let uplinks: f64 = leechers.iter().map(|link| link.up as f64).sum();
    let slowest = leechers.iter().map(|link| link.down).min().unwrap_or(u64::MAX);
    let copies = leechers.len() as f64;
    let seconds = (bytes / seeder.up as f64)
        .max(bytes / slowest as f64)
        .max(copies * bytes / (seeder.up as f64 + uplinks));
    Duration::from_secs_f64(seconds)
}

/// Like [`bound`], for zones with slow links between them: every byte must leave the seeder's zone once and enter each
/// other zone once.
pub fn bound_between(
    bytes: u64,
    seeder: Link,
    leechers: &[Link],
    seeder_zone: Link,
    others: &[Link],
) -> Duration {
    let thinnest = others.iter().map(|link| link.down).min().unwrap_or(u64::MAX).min(seeder_zone.up);
    bound(bytes, seeder, leechers).max(Duration::from_secs_f64(bytes as f64 / thinnest as f64))
}

/// Like [`bound`], with some leechers that come `delay` late: until then their uplinks carry nothing, and nothing is
/// sent to them.
pub fn bound_late(bytes: u64, seeder: Link, early: &[Link], late: &[Link], delay: Duration) -> Duration {
    let uplinks = |links: &[Link]| links.iter().map(|link| link.up as f64).sum::<f64>();
    let (bytes, missed) = (bytes as f64, uplinks(late) * delay.as_secs_f64());
    let slowest = late.iter().map(|link| link.down).min().unwrap_or(u64::MAX);
    let copies = (early.len() + late.len()) as f64;
    let all = seeder.up as f64 + uplinks(early) + uplinks(late);
    let carried = (copies * bytes + missed) / all;
    let seconds = carried.max(delay.as_secs_f64() + bytes / slowest as f64);
    Duration::from_secs_f64(seconds).max(bound(bytes as u64, seeder, early))
}
