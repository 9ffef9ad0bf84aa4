"""The targets that TinyTorrent must meet: for each the case, the figure, and the limit. `report --targets` marks
each as met or missed, by the median of the runs that are there, or of the pairs of runs of two variants."""
import math, statistics
from dataclasses import dataclass
from typing import Callable

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True)
class Target:
    name: str
    cases: tuple[str, ...]
    figure: Callable            # of one run
    limit: float
    unit: str = ""
    at_least: bool = False
    over: Callable = statistics.median  # the runs of a case; of several cases the worst counts
    tool: str = "tinytorrent"

    def of(self, runs, case):
        """The runs of a case that count. Where calls are counted, perf takes time and memory of its own."""
        return [r for r in runs if r["case"] == case and r["tool"] == self.tool and "recv_calls" not in r]

    def figures(self, runs, case):
        """The figure of each run that counts."""
        return [self.figure(r) if r["ok"] else self.failed() for r in self.of(runs, case)]

    def value(self, runs):
        """The figure over all runs that count, or None if a case was not measured."""
        values = []
        for case in self.cases:
            mine = self.figures(runs, case)
            if not mine:
                return None
            values.append(self.over(mine))
        return min(values) if self.at_least else max(values)

    def failed(self):
        """The figure of a run that failed: worse than any other, so that it is not ignored."""
        return -math.inf if self.at_least else math.inf

    def met(self, value):
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True)
class Counted(Target):
    """A target for runs in which calls were counted (`run --calls`)."""

    def of(self, runs, case):
        return [r for r in runs if r["case"] == case and r["tool"] == self.tool and "recv_calls" in r]


@dataclass(frozen=True)
class Compared(Target):
    """A target for the figure of a variant in parts of another one's. Runs that follow one another are a pair, since
    the machine is not equally fast at all times."""
    against: str = "tinytorrent"

    def of(self, runs, case):
        """The pairs: (a run of the variant, the run of the other one before it)."""
        mine = [r for r in runs if r["case"] == case and r["tool"] in (self.tool, self.against)
                and "recv_calls" not in r]
        return [(second, first) for first, second in zip(mine, mine[1:])
                if (first["tool"], second["tool"]) == (self.against, self.tool) and first["label"] == second["label"]]

    def figures(self, runs, case):
        return [self.figure(a) / self.figure(b) if a["ok"] and b["ok"] else self.failed()
                for a, b in self.of(runs, case)]


def wall(run):
    return run["wall"]


def ratio(run):
    return run["ratio"]


TARGETS = [
    Target("8 leechers: time / bound", ("e1-n8",), ratio, 1.10),
    Target("16 leechers: time / bound", ("e1-n16",), ratio, 1.13),
    Target("32 leechers: time / bound", ("e1-n32",), ratio, 1.20),
    Target("seeder's uplink half as fast: time / bound", ("e1-slowseed",), ratio, 1.10),
    Target("mixed uplinks: time / bound", ("uplinks",), ratio, 1.20),
    Target("half start 5 s later: time / bound", ("e4-late",), ratio, 1.10),
    Target("seeder sent, homogeneous: copies", ("e1-n8", "e1-n16", "e1-n32"), lambda r: r["seeder_sent"], 1.20),
    Target("seeder killed after 1.05 copies: machines without the file", ("killed",),
           lambda r: r["missing"], 0, over=max),
    Target("one leecher ten times slower, the others: time / bound", ("slowpeer",), ratio, 1.20),
    Target("two zones of 8: time / bound", ("zones",), ratio, 1.45),
    Target("two zones of 8: copies that crossed, both ways", ("zones",),
           lambda r: r["crossed"] + r["crossed_back"], 1.05),
    Target("1 MiB to 16 cold machines", ("e3-1m",), lambda r: r["wall"], 0.9, "s"),
    Target("4 GiB one to one", ("e2-1x1",), lambda r: r["size"] / GIB / r["wall"], 1.2, "GiB/s", at_least=True),
    Target("4 GiB one to one: CPU of both ends", ("e2-1x1",), lambda r: r["cpu_per_gib"], 1.5, "s/GiB"),
]
MEASURED = tuple(dict.fromkeys(case for target in TARGETS for case in target.cases))
TLS, STRANGERS = "tinytorrent-tls", "tinytorrent-strangers"
TARGETS += [
    Compared("with TLS, 4 GiB one to one: speed / without", ("e2-1x1",), lambda r: 1 / r["wall"], 0.75,
             at_least=True, tool=TLS),
    Compared("with TLS, 16 leechers at 50 Mbit/s: time / without", ("half-n16",), wall, 1.05, tool=TLS),
    Counted("with TLS, 4 GiB one to one: calls of recv for each chunk", ("e2-1x1",),
            lambda r: r["recv_calls"] / (r["leechers"] * r["size"] / MIB), 40, tool=TLS),
    Compared("1,000 strangers, 8 leechers: time / without them", ("e1-n8",), wall, 1.10, tool=STRANGERS, against=TLS),
    Target("1,000 strangers, 8 leechers: the seeder's peak memory", ("e1-n8",), lambda r: r["rss_seeder"] / MIB, 96,
           "MiB", over=max, tool=STRANGERS),
]
TARGETS.append(Target("peak resident memory of any ttd in any of these", MEASURED,
                      lambda r: max(r["rss_seeder"], r["rss_leecher"]) / MIB, 96, "MiB", over=max))

# On virtual time, by tests/sim: no machine has so many processors, and this kernel has no netem to delay packets.
SIMULATED = ["1,000 machines, 256 chunks, 20 neighbours: time / bound", "10,000 machines, 256 chunks: time / bound"]
