"""The bound that no schedule can beat: the fluid lower bound on the time until machines have the whole file.
Pure arithmetic, without links and processes; tested by test_bench.py."""
import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """One machine as the bound sees it: payload bytes/s, seconds until it starts, and its zone."""
    up: float
    down: float
    delay: float = 0.0
    zone: str = ""


def lower_bound(size, seeder, leechers, group=None, zone_link=None, seeder_copies=math.inf):
    """Seconds until the last of `group` (all leechers if left out) can have `size` bytes.

    Each leecher receives and sends from its delay on, helpers outside of the group included. Zones other than
    the seeder's hang on it by a link of `zone_link` bytes/s each way. The seeder dies after `seeder_copies`.

    It is the largest of several cuts. In each, some machines want bytes, and we ask how soon all who could
    send these could have sent them."""
    group = leechers if group is None else group
    first = min(p.delay for p in leechers)
    seeding = (seeder.up, first, seeder_copies * size)
    sending = [(p.up, p.delay, math.inf) for p in leechers]
    # Each byte leaves the seeder once, and each machine receives every byte.
    cuts = [seconds_to_send(size, [seeding])]
    cuts += [p.delay + size / p.down for p in group]
    # Those who start at `start` or later receive nothing before it, and everything from some uplink.
    for start in {p.delay for p in group}:
        late = sum(p.delay >= start for p in group)
        cuts.append(seconds_to_send(late * size, [_not_before(s, start) for s in [seeding, *sending]]))
    # What a zone gets crosses its link at least once; copies come over the link or from within.
    for zone in {p.zone for p in group} - {seeder.zone}:
        link = (zone_link, first, math.inf)
        inside = [(p.up, p.delay, math.inf) for p in leechers if p.zone == zone]
        wanted = sum(p.zone == zone for p in group)
        cuts += [seconds_to_send(size, [link]), seconds_to_send(wanted * size, [link, *inside])]
    return max(cuts)


def seconds_to_send(amount, senders):
    """Seconds until `amount` bytes are sent by all of `senders`, each (bytes/s, from when on, at most how many
    bytes); infinite if they never are."""
    changes = [(since, rate) for rate, since, _ in senders]
    changes += [(since + most / rate, -rate) for rate, since, most in senders if most < math.inf]
    time = rate = 0.0
    for at, change in sorted(changes):
        if amount <= rate * (at - time):
            break
        amount -= rate * (at - time)
        time, rate = at, rate + change
    return time + amount / rate if rate > 1e-6 else math.inf


def _not_before(sender, start):
    rate, since, most = sender
    return rate, max(since, start), most
