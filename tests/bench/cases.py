"""What is measured: each machine's link, start and zone, the file, and what goes wrong. Rates are in Mbit/s
(None = unshaped), sizes in bytes."""
from dataclasses import dataclass
import bound

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True)
class Machine:
    up: int | None
    down: int | None
    zone: str = ""
    delay: float = 0.0   # seconds after the first leechers' start
    apart: bool = False  # its time is told, but the case is about the others


@dataclass(frozen=True)
class Fault:
    """What happens to the seeder as soon as `copies` of the file have left it."""
    kind: str            # "kill": SIGKILL to its processes; "unplug": its link goes down, without a word
    copies: float


@dataclass(frozen=True)
class Case:
    about: str
    size: int
    seeder: Machine
    leechers: tuple[Machine, ...]
    piece: int = 256 * 1024          # of BitTorrent tools
    zone_link: int | None = None     # between the seeder's zone and each other one, each way
    fault: Fault | None = None
    fanout_size: int | None = None   # for tools without a swarm: N copies through one uplink are slow

    def machines(self):
        """Name -> machine. The tracker stands beside the seeder, on a link that is not shaped."""
        named = {f"leech{i:02}": m for i, m in enumerate(self.leechers)}
        return {"tracker": Machine(None, None, self.seeder.zone), "seeder": self.seeder} | named

    def rates(self):
        """All distinct link rates."""
        links = [(m.up, m.down) for m in (self.seeder, *self.leechers)] + [(self.zone_link, self.zone_link)]
        return sorted({rate for link in links for rate in link if rate})

    def shaped(self):
        """Whether there are links to speak of; else the case measures processors."""
        return bool(self.rates())

    def bounds(self, size, payload):
        """Seconds: (for those that the case is about, for all). `payload` maps Mbit/s to payload bytes/s."""
        def peer(m):
            return bound.Peer(payload(m.up), payload(m.down), m.delay, m.zone)
        leechers = [peer(m) for m in self.leechers]
        group = [p for p, m in zip(leechers, self.leechers) if not m.apart]
        rest = {"zone_link": payload(self.zone_link)}
        if self.fault:
            rest["seeder_copies"] = self.fault.copies
        return tuple(bound.lower_bound(size, peer(self.seeder), leechers, wanted, **rest)
                     for wanted in (group, leechers))


def even(count, rate, **more):
    return (Machine(rate, rate, **more),) * count


ONE, FREE = Machine(100, 100), Machine(None, None)

CASES = {
    "e1-n8": Case("8 leechers at 100 Mbit/s, 256 MiB", 256 * MIB, ONE, even(8, 100), fanout_size=32 * MIB),
    "e1-n16": Case("16 leechers at 100 Mbit/s, 256 MiB", 256 * MIB, ONE, even(16, 100), fanout_size=32 * MIB),
    "e1-n32": Case("32 leechers at 50 Mbit/s, 128 MiB", 128 * MIB, Machine(50, 50), even(32, 50),
                   fanout_size=8 * MIB),
    "half-n16": Case("e1-n16 at half the rate, where the processors of a small machine are not the limit", 256 * MIB,
                     Machine(50, 50), even(16, 50), fanout_size=16 * MIB),
    "half-n32": Case("e1-n32 at half the rate, likewise", 128 * MIB, Machine(25, 25), even(32, 25),
                     fanout_size=4 * MIB),
    "e1-slowseed": Case("16 leechers at 100 Mbit/s, the seeder's uplink at 50, 128 MiB", 128 * MIB,
                        Machine(50, 100), even(16, 100), fanout_size=16 * MIB),
    "uplinks": Case("16 leechers with uplinks of 100, 50, 25 and 10 Mbit/s in turn, downlinks of 100, 256 MiB",
                    256 * MIB, ONE, tuple(Machine(up, 100) for up in (100, 50, 25, 10)) * 4, fanout_size=32 * MIB),
    "slowpeer": Case("16 leechers at 100 Mbit/s, but one of them at 10 both ways, 128 MiB; it counts apart",
                     128 * MIB, ONE, (*even(7, 100), Machine(10, 10, apart=True), *even(8, 100)),
                     fanout_size=16 * MIB),
    "killed": Case("16 leechers at 100 Mbit/s, 256 MiB; the seeder is killed when it has sent 1.05 copies",
                   256 * MIB, ONE, even(16, 100), fault=Fault("kill", 1.05)),
    "unplugged": Case("the same, but the seeder's link goes down and nobody is told", 256 * MIB, ONE,
                      even(16, 100), fault=Fault("unplug", 1.05)),
    "zones": Case("two zones of 8 leechers at 100 Mbit/s, 100 Mbit/s between them, the seeder in one, 256 MiB",
                  256 * MIB, Machine(100, 100, "a"), even(8, 100, zone="a") + even(8, 100, zone="b"),
                  zone_link=100, fanout_size=16 * MIB),
    "start-1": Case("first bytes on a cold start, 1 leecher at 100 Mbit/s, 16 MiB", 16 * MIB, ONE, even(1, 100)),
    "start-16": Case("first bytes on a cold start, 16 leechers at 100 Mbit/s, 64 MiB", 64 * MIB, ONE,
                     even(16, 100), fanout_size=16 * MIB),
    "e2-1x1": Case("unshaped, 1 leecher, 4 GiB in memory", 4 * GIB, FREE, (FREE,), piece=1 * MIB),
    "e2-1x4": Case("unshaped, 4 leechers, 1 GiB in memory", 1 * GIB, FREE, (FREE,) * 4, piece=1 * MIB),
    "e3-1m": Case("a small file, 16 leechers at 100 Mbit/s, 1 MiB", 1 * MIB, ONE, even(16, 100),
                  piece=32 * 1024),
    "e3-64k": Case("a small file, 16 leechers at 100 Mbit/s, 64 KiB", 64 * 1024, ONE, even(16, 100),
                   piece=32 * 1024),
    "e4-late": Case("16 leechers at 100 Mbit/s, 256 MiB, half of them start 5 s later", 256 * MIB, ONE,
                    even(8, 100) + even(8, 100, delay=5.0), fanout_size=32 * MIB),
    "smoke": Case("a quick check that a driver works: 3 leechers, 8 MiB", 8 * MIB, ONE, even(3, 100),
                  piece=64 * 1024),
}
