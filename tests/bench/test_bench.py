"""Tests of the harness that need no root: the bound, the cases, the targets, the tables.
`python3 -m unittest discover -s tests/bench`; `cargo xtask ci` runs it."""
import asyncio, contextlib, io, itertools, math, pathlib, random, unittest
import calls, net, report, targets
from bound import Peer, lower_bound, seconds_to_send
from cases import CASES, MIB, Fault
from drivers import strangers

F = 1000.0


def even(count, rate=10.0, **more):
    return [Peer(rate, rate, **more)] * count


class SecondsToSend(unittest.TestCase):
    def test_one_after_another(self):
        self.assertAlmostEqual(seconds_to_send(100, [(10, 0, math.inf)]), 10)
        # 10/s for 4 s, then 30/s: 40 and 60.
        self.assertAlmostEqual(seconds_to_send(100, [(10, 0, math.inf), (20, 4, math.inf)]), 6)
        # The second sends 20 bytes only, in one second.
        self.assertAlmostEqual(seconds_to_send(100, [(10, 0, math.inf), (20, 4, 20)]), 8)

    def test_too_little_is_never_enough(self):
        self.assertEqual(seconds_to_send(100, [(10, 0, 99)]), math.inf)
        self.assertAlmostEqual(seconds_to_send(100, [(10, 3, 100)]), 13)


class LowerBound(unittest.TestCase):
    def bound(self, seeder, leechers, **more):
        return lower_bound(F, seeder, leechers, **more)

    def test_the_three_terms(self):
        self.assertAlmostEqual(self.bound(Peer(10, 10), even(16)), 100)          # F / u_s
        self.assertAlmostEqual(self.bound(Peer(5, 10), even(16)), 200)           # F / u_s, half as fast
        self.assertAlmostEqual(self.bound(Peer(40, 10), [Peer(10, 5), *even(7)]), 200)  # F / d of the slowest
        mixed = [Peer(up, 10) for up in (10, 5, 2.5, 1)] * 4
        self.assertAlmostEqual(self.bound(Peer(10, 10), mixed), 16 * F / (10 + 4 * 18.5))  # N·F / (u_s + Σu)

    def test_late_machines(self):
        # They need a whole file after they have come.
        self.assertAlmostEqual(self.bound(Peer(10, 10), even(8) + even(8, delay=50)), 150)
        # Capacity: 10 + 10 for 400 s is 8,000, then 20 more a second; N·F = 16,000.
        slow = [Peer(1, 10)] * 10 + [Peer(20 / 6, 10, delay=400)] * 6
        self.assertAlmostEqual(self.bound(Peer(10, 10), slow), 600)
        # The late machines want six files. Only bytes that are sent after they started can bring these.
        late = [Peer(1, 1000)] * 10 + [Peer(1, 1000, delay=5000)] * 6
        self.assertAlmostEqual(self.bound(Peer(10, 10), late), 5000 + 6 * F / 26)

    def test_all_late_is_a_shift(self):
        soon, later = self.bound(Peer(10, 10), even(4)), self.bound(Peer(10, 10), even(4, delay=7))
        self.assertAlmostEqual(soon + 7, later)

    def test_a_group_is_helped_by_the_others(self):
        slow = Peer(1, 1)
        all_of_them = [*even(15), slow]
        self.assertAlmostEqual(self.bound(Peer(10, 10), all_of_them), 1000)
        self.assertAlmostEqual(self.bound(Peer(10, 10), all_of_them, group=even(15)), 100)
        # Two weak ones that a strong helper carries: 2 F at 10 + 2·1 + 8.
        weak, strong = [Peer(1, 100)] * 2, Peer(8, 1)
        self.assertAlmostEqual(self.bound(Peer(10, 10), [*weak, strong], group=weak), 100)
        self.assertAlmostEqual(self.bound(Peer(10, 10), [*weak] * 4, group=weak * 4), 8 * F / 18)

    def test_zones(self):
        seeder = Peer(10, 10, zone="a")
        two = even(8, zone="a") + even(8, zone="b")
        self.assertAlmostEqual(self.bound(seeder, two, zone_link=10), 100)
        self.assertAlmostEqual(self.bound(seeder, two, zone_link=4), 250)
        # Far machines that hardly send: 8 copies come through 10 + 8·0.5.
        weak = even(8, zone="a") + [Peer(0.5, 10, zone="b")] * 8
        self.assertAlmostEqual(self.bound(seeder, weak, zone_link=10), 8 * F / 14)
        # One zone only: no link.
        self.assertAlmostEqual(self.bound(seeder, even(8, zone="a"), zone_link=1), 100)

    def test_a_seeder_that_dies(self):
        self.assertAlmostEqual(self.bound(Peer(10, 10), even(16), seeder_copies=1.05), 100)
        # After 1.05 copies the two have to carry 0.95 at 2 a second: in 105 s 210 of them.
        alone = self.bound(Peer(10, 100), [Peer(1, 100)] * 2, seeder_copies=1.05)
        self.assertAlmostEqual(alone, 105 + (950 - 210) / 2)
        self.assertEqual(self.bound(Peer(10, 10), even(2), seeder_copies=0.9), math.inf)

    def test_more_capacity_never_makes_it_longer(self):
        chance = random.Random(7)
        rate = lambda: chance.choice([1, 2.5, 5, 10, 40])
        for _ in range(200):
            peers = [Peer(rate(), rate(), chance.choice([0, 0, 30]), chance.choice("ab"))
                     for _ in range(chance.randint(1, 9))]
            seeder = Peer(rate(), 10, zone="a")
            more = {"zone_link": rate(), "seeder_copies": chance.choice([1.05, math.inf])}
            before = self.bound(seeder, peers, **more)
            i = chance.randrange(len(peers))
            faster = [*peers]
            faster[i] = Peer(peers[i].up * 2, peers[i].down * 2, peers[i].delay, peers[i].zone)
            self.assertLessEqual(self.bound(seeder, faster, **more), before + 1e-6)
            self.assertLessEqual(self.bound(seeder, peers, group=peers[:i + 1], **more), before + 1e-6)


class Cases(unittest.TestCase):
    def test_bounds(self):
        payload = lambda mbit: mbit * 125_000.0 if mbit else 1e15
        seconds = {"e1-n8": 21.47, "e1-n16": 21.47, "e1-n32": 21.47, "e1-slowseed": 21.47, "e4-late": 26.47,
                   "uplinks": 40.90, "slowpeer": 10.74, "killed": 21.47, "zones": 21.47}
        for name, expected in seconds.items():
            case = CASES[name]
            with self.subTest(name):
                self.assertAlmostEqual(case.bounds(case.size, payload)[0], expected, delta=0.01)
        self.assertAlmostEqual(CASES["slowpeer"].bounds(128 * MIB, payload)[1], 107.37, delta=0.01)

    def test_every_target_has_a_case_that_can_show_it(self):
        for target, case in ((t, c) for t in targets.TARGETS for c in t.cases):
            self.assertIn(case, CASES, target.name)

    def test_machines(self):
        zones = CASES["zones"].machines()
        self.assertEqual(zones["tracker"].zone, zones["seeder"].zone)
        self.assertEqual(len(zones), 18)
        self.assertEqual(CASES["uplinks"].rates(), [10, 25, 50, 100])
        self.assertFalse(CASES["e2-1x1"].shaped())
        self.assertIsInstance(CASES["killed"].fault, Fault)


class Names(unittest.TestCase):
    def test_only_ours_is_touched(self):
        for name in ("ttbench12", "ttbench12-leech03", "ttbench12-source"):
            self.assertTrue(net.OURS.match(name), name)
        for name in ("ttb12-leech03", "ttbench", "ttbench-12", "ttbenchmark12", "xttbench12", "ttbench12x", "ttd"):
            self.assertFalse(net.OURS.match(name), name)


def run(case, tool="tinytorrent", **more):
    record = {"case": case, "tool": tool, "label": "", "version": "1", "when": "2026-01-02T03:04:05", "ok": True,
              "size": CASES[case].size, "leechers": len(CASES[case].leechers), "bound": 20.0, "bound_all": 20.0,
              "wall": 22.0, "wall_all": 22.0, "ratio": 1.1, "ratio_all": 1.1, "mean": 21.0, "seeder_sent": 1.1,
              "cpu_per_gib": 3.0, "others_cores": 0.1, "rss_seeder": 20 * MIB, "rss_leecher": 30 * MIB,
              "missing": 0, "fault": None, "bad": []}
    return record | more


class Reports(unittest.TestCase):
    def results(self, *runs):
        machine = {"cpu": "X", "cores": 2, "memory_gib": 4, "kernel": "6"}
        return {"machine": machine, "rates": {"100": 12e6}, "rings": {}, "create": [], "runs": list(runs)}

    def verdict(self, name, *runs):
        line = next(line for line in report.targets(self.results(*runs)).splitlines() if name in line)
        return line.split("|")[-2].strip()

    def test_targets(self):
        name = "16 leechers: time"
        good, bad = run("e1-n16", ratio=1.12), run("e1-n16", ratio=1.14)
        self.assertEqual(self.verdict(name, good, good, bad), "met")
        self.assertEqual(self.verdict(name, good, bad, bad), "**missed**")
        self.assertEqual(self.verdict(name, run("e1-n8")), "not measured")
        self.assertEqual(self.verdict(name, run("e1-n16", tool="aria2")), "not measured")

    def test_failed_runs_are_not_forgotten(self):
        failed = {"case": "e1-n16", "tool": "tinytorrent", "label": "", "version": "1", "when": "2026-01-02",
                  "ok": False, "error": "too late", "missing": 3, "leechers": 16, "size": 1, "bound": 1.0}
        good = run("e1-n16", ratio=1.0)
        self.assertEqual(self.verdict("16 leechers: time", good, good, failed), "met")
        self.assertEqual(self.verdict("16 leechers: time", good, failed), "**missed**")
        lost = failed | {"case": "killed"}
        self.assertEqual(self.verdict("seeder killed", run("killed"), run("killed"), lost), "**missed**")
        text = report.markdown(self.results(good, failed))
        self.assertIn("1/2", text)
        self.assertIn("too late", text)
        self.assertIn("3 of 16", text)

    def test_crossing_counts_both_ways(self):
        name = "copies that crossed"
        self.assertEqual(self.verdict(name, run("zones", crossed=1.0, crossed_back=0.04)), "met")
        self.assertEqual(self.verdict(name, run("zones", crossed=1.0, crossed_back=0.06)), "**missed**")

    def test_rates_that_must_be_high(self):
        name = "4 GiB one to one |"
        fast = lambda seconds: run("e2-1x1", bound=None, wall=seconds)
        self.assertEqual(self.verdict(name, fast(4 / 1.3)), "met")
        self.assertEqual(self.verdict(name, fast(4 / 1.1)), "**missed**")

    def test_pairs_of_variants(self):
        name = "4 GiB one to one: speed"
        plain = lambda wall: run("e2-1x1", bound=None, wall=wall)
        tls = lambda wall, **more: run("e2-1x1", targets.TLS, bound=None, wall=wall, **more)
        # The machine became half as fast, and in each pair the ratio is 0.8.
        self.assertEqual(self.verdict(name, plain(4), tls(5), plain(8), tls(10)), "met")
        self.assertEqual(self.verdict(name, plain(4), tls(6)), "**missed**")
        # What does not follow a plain run, or has another label, is not compared.
        self.assertEqual(self.verdict(name, tls(4), plain(4)), "not measured")
        self.assertEqual(self.verdict(name, plain(4), tls(4, label="other")), "not measured")
        self.assertEqual(self.verdict(name, plain(4), tls(4, recv_calls=1)), "not measured")
        self.assertEqual(self.verdict(name, plain(4), tls(4), plain(4), tls(4) | {"ok": False}), "**missed**")
        # Runs of variants do not count for the targets of TinyTorrent alone.
        self.assertEqual(self.verdict("4 GiB one to one |", tls(4)), "not measured")
        strangers = lambda wall, **more: run("e1-n8", targets.STRANGERS, wall=wall, **more)
        pair = run("e1-n8", targets.TLS, wall=20), strangers(21, rss_seeder=97 * MIB)
        self.assertEqual(self.verdict("8 leechers: time / without them", *pair), "met")
        self.assertEqual(self.verdict("seeder's peak memory", *pair), "**missed**")

    def test_calls_for_each_chunk(self):
        name = "calls of recv"
        counted = lambda each: run("e2-1x1", targets.TLS, bound=None, recv_calls=each * 4096)
        self.assertEqual(self.verdict(name, counted(40)), "met")
        self.assertEqual(self.verdict(name, counted(41)), "**missed**")
        self.assertEqual(self.verdict(name, run("e2-1x1", targets.TLS, bound=None)), "not measured")
        self.assertIn("40.0 calls of recv for each chunk", report.line(counted(40)))

    def test_every_case_makes_a_table(self):
        runs = [run(case, tool, crossed=1.0, crossed_back=0.1, first_bytes=[0.1, 0.2, 0.3], ratio_all=1.0,
                    wall_all=200.0, fault={"at": 20.0, "sent": 1.06}, bound=20.0 if CASES[case].shaped() else None)
                for case, tool in itertools.product(CASES, ("tinytorrent", "aria2"))]
        for make in (report.markdown, report.summary, report.targets):
            lines = [line for line in make(self.results(*runs)).splitlines() if line.startswith("|")]
            self.assertGreater(len(lines), 10)
            self.assertEqual(len({line.count("|") for line in lines}), 1, lines)
        self.assertIn("X, 2 cores", report.markdown(self.results(*runs)))

    def test_nothing_measured(self):
        for make in (report.markdown, report.summary, report.targets):
            self.assertTrue(make(self.results()))


class Calls(unittest.TestCase):
    def test_what_perf_writes(self):
        text = "# started on Fri Nov 27 14:56:19 2026\n\n1234,,syscalls:sys_enter_recvfrom,1075136,100.00,,\n"
        self.assertEqual(calls.parse(text), 1234)
        for text in ("", "<not supported>,,syscalls:sys_enter_recvfrom,0,100.00,,"):
            with self.assertRaises(RuntimeError):
                calls.parse(text)


class Strangers(unittest.TestCase):
    def test_all_come_again_whether_they_are_answered_or_not(self):
        """Each is disconnected at once, every second one with an answer."""
        hello, count = strangers.client_hello(), 20
        self.assertEqual(hello[0], 22, "the record of a handshake")
        heard = []

        async def answer(reader, writer):
            heard.append(await reader.readexactly(len(hello)))
            if len(heard) % 2:
                writer.write(b"x")
            writer.close()
            await writer.wait_closed()

        async def knock():
            server = await asyncio.start_server(answer, "127.0.0.1")
            knocking = strangers.Knocking(count, again=0.01)
            port = server.sockets[0].getsockname()[1]
            tasks = [asyncio.create_task(knocking.stranger("127.0.0.1", port, hello)) for _ in range(count)]
            async with asyncio.timeout(10):
                while knocking.calls < 3 * count or not knocking.answered:
                    await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            server.close()
            await server.wait_closed()
            await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
            return knocking, len(heard) // 2

        with contextlib.redirect_stdout(io.StringIO()) as said:
            knocking, answers = asyncio.run(knock())
        self.assertEqual(said.getvalue(), "all were there\n")
        self.assertLessEqual(knocking.answered, answers)
        self.assertGreater(knocking.answered, answers - count)  # some are cancelled before they have heard it
        self.assertEqual(set(heard), {hello})


class Documents(unittest.TestCase):
    """The seconds in README.md and docs/performance.md are the measured ratios times the bounds of the cases."""
    ROOT = pathlib.Path(__file__).parents[2]
    CARRIED = 0.956  # what iperf3 measured of a shaped rate, as docs/performance.md says

    def rows(self, path, heading):
        """The cells of a table's rows, without its first two lines."""
        lines = (self.ROOT / path).read_text().split(f"## {heading}\n")[1].splitlines()
        table = [line for line in itertools.takewhile(lambda line: not line.startswith("## "), lines)
                 if line.startswith("|")]
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]

    def bound(self, case):
        payload = lambda rate: rate * 1e6 / 8 * self.CARRIED if rate else 1e15
        return CASES[case].bounds(CASES[case].size, payload)[0]

    def test_the_seconds_follow_from_the_ratios(self):
        rows = self.rows("docs/performance.md", "What was measured")
        self.assertGreater(len(rows), 8)
        for case, _, bound, ratio, seconds, *others in rows:
            expected = self.bound(case.strip("`"))
            self.assertEqual(bound, f"{expected:.2f}", case)
            for ratio, seconds in [(ratio, seconds), *(other.split(": ") for other in others if other)]:
                self.assertEqual(seconds, f"{float(ratio) * expected:.0f}", case)

    def test_the_readme_shows_the_same_seconds(self):
        measured = {row[0].strip("`"): row for row in self.rows("docs/performance.md", "What was measured")}
        rows = self.rows("README.md", "How fast")
        for case, row in zip(("e1-n8", "e1-n16", "killed", "zones", "e1-n32"), rows):
            shown = [measured[case][4], *(cell.split(": ")[-1] for cell in measured[case][5:])]
            self.assertEqual(row[1:4], shown, case)
            if row[4]:
                self.assertEqual(row[4], f"{len(CASES[case].leechers) * self.bound(case):.0f}", case)


if __name__ == "__main__":
    unittest.main()
