"""Turns the recorded runs into Markdown tables."""
import statistics
from cases import CASES
from targets import SIMULATED, TARGETS

MIB, GIB = 1 << 20, 1 << 30


def line(r):
    """One run, for the terminal."""
    if not r["ok"]:
        wrong = r.get("error") or "wrong content: " + ", ".join(r["bad"])
        return f"{r['case']} {r['tool']}: FAILED, {wrong}; {extras([r])}"
    bound = f", bound {r['bound']:.2f}, ratio {r['ratio']:.2f}" if r["bound"] else ""
    return (f"{r['case']} {r['tool']}: last {r['wall']:.2f} s, mean {r['mean']:.2f}{bound}, "
            f"seeder sent {r['seeder_sent']:.2f} F, CPU {r['cpu_per_gib']:.2f} s/GiB, "
            f"memory {r['rss_seeder'] / MIB:.0f}/{r['rss_leecher'] / MIB:.0f} MiB, "
            f"others {r['others_cores']:.2f} cores; {extras([r])}")


def markdown(results, cases=None):
    """The whole report: the machine, one table over all cases and tools, what failed, and what the links carry."""
    runs = [r for r in results["runs"] if not cases or r["case"] in cases]
    rows, failed = [], []
    for case in CASES:
        for title, mine in by_tool(r for r in runs if r["case"] == case):
            good = [r for r in mine if r["ok"]]
            failed += [f"- {case}, {title}: {r.get('error') or 'wrong content: ' + ', '.join(r['bad'])}; "
                       f"{r['missing']} of {r['leechers']} machines without the file" for r in mine if not r["ok"]]
            if good:
                rows.append(columns(case, title, good, len(mine)))
    out = [*head(results, runs), "", table(rows) if rows else "No run succeeded."]
    if failed:
        out += ["", "Failed:", "", *failed]
    return "\n".join(out + ["", *links(results, {r["case"] for r in runs})])


def summary(results, cases=None):
    """One row per case, one column per tool: time over bound (unshaped: MiB/s delivered; small files: seconds)."""
    runs = [r for r in results["runs"] if not cases or r["case"] in cases]
    tools = list(dict.fromkeys(title for title, _ in by_tool(runs)))
    rows = []
    for case in CASES:
        mine = dict(by_tool(r for r in runs if r["case"] == case))
        if mine:
            rows.append([("case", CASES[case].about)] + [(tool, cell(mine.get(tool))) for tool in tools])
    return "\n".join([*head(results, runs), "", table(rows)]) if rows else "no runs"


def cell(runs):
    good = [r for r in runs or [] if r["ok"]]
    if not good:
        return "failed" if runs else ""
    middle = lambda figure: statistics.median(figure(r) for r in good)
    text = (f"{middle(lambda r: r['leechers'] * r['size'] / MIB / r['wall']):.0f} MiB/s" if not good[0]["bound"] else
            f"{middle(lambda r: r['wall']):.2f} s" if good[0]["size"] <= MIB else f"{middle(lambda r: r['ratio']):.2f}")
    return text + (f" ({len(runs) - len(good)} of {len(runs)} failed)" if len(good) < len(runs) else "")


def targets(results):
    """Each target, met or missed by TinyTorrent."""
    runs = [r for r in results["runs"] if r["tool"] in {target.tool for target in TARGETS}]
    rows, met = [], 0
    for target in TARGETS:
        value = target.value(runs)
        verdict = "not measured" if value is None else "met" if target.met(value) else "**missed**"
        met += verdict == "met"
        counts = [len(target.of(runs, case)) for case in target.cases]
        shown = "" if value is None else "a run failed" if abs(value) == float("inf") else f"{value:.2f} {target.unit}"
        sign = "≥" if target.at_least else "≤"
        rows.append([("target", target.name), ("hold to", f"{sign} {target.limit:g} {target.unit}".strip()),
                     ("measured", shown.strip()), ("runs", f"{min(counts)}"), ("", verdict)])
    rows += [[("", name), ("", ""), ("", ""), ("", ""), ("", "on virtual time only: tests/sim")] for name in SIMULATED]
    return "\n".join([*head(results, runs), "", table(rows), "", f"{met} of {len(TARGETS)} targets met; medians, "
                      "of several cases the worst. Runs of two variants count as pairs."])


def head(results, runs):
    m = results["machine"]
    days = ", ".join(sorted({r["when"][:10] for r in runs}))
    versions = sorted({(r["tool"], r["version"]) for r in runs})
    return [f"Machine: {m['cpu']}, {m['cores']} cores, {m['memory_gib']} GiB, Linux {m['kernel']}. Date: {days}.", "",
            "Versions: " + "; ".join(f"{tool}: {version}" for tool, version in versions) + "."]


def by_tool(runs):
    """(title, runs) of each tool and label, in the order in which they came."""
    grouped = {}
    for r in runs:
        grouped.setdefault(" ".join(t for t in (r["tool"], r["label"]) if t), []).append(r)
    return list(grouped.items())


def columns(case, title, runs, tried):
    """One row as (title, text): medians, with the worst of several runs."""
    get = lambda key: [r[key] for r in runs]
    if runs[0]["size"] != CASES[case].size:
        title += f" ({runs[0]['size'] // MIB} MiB)"
    memory = max(max(r["rss_seeder"], r["rss_leecher"]) for r in runs) / MIB
    return [("case", case), ("tool", title), ("runs ok", f"{len(runs)}/{tried}"),
            ("last / bound", middle(get("ratio")) if runs[0]["bound"] else ""),
            ("last, s", middle(get("wall"))), ("mean, s", middle(get("mean"))),
            ("seeder sent / F", middle(get("seeder_sent"))), ("CPU s/GiB", middle(get("cpu_per_gib"))),
            ("peak memory, MiB", f"{memory:.0f}"), ("others, cores", middle(get("others_cores"), 1)),
            ("also", extras(runs))]


def extras(runs):
    """What is particular to a case, as words."""
    words, get = [], lambda key: [r[key] for r in runs if r.get(key) is not None]
    if get("ratio_all") and any(r["wall"] != r["wall_all"] for r in runs):
        words.append(f"with the slow one {middle(get('ratio_all'))} × its bound of {runs[0]['bound_all']:.1f} s")
    if get("crossed"):
        words.append(f"crossed {middle(get('crossed'))} F, back {middle(get('crossed_back'))} F")
    if CASES[runs[0]["case"]].fault:
        struck = get("fault")
        at, sent = ([f[key] for f in struck] for key in ("at", "sent"))
        words.append(f"seeder lost after {middle(at, 1)} s and {middle(sent)} F" if len(struck) == len(runs)
                     else f"in {len(runs) - len(struck)} of {len(runs)} runs the seeder never sent so much, and lived")
    if runs[0]["case"].startswith("start"):
        for key, what in (("first_bytes", "first bytes"), ("first_data", "first chunk")):
            if values := get(key):
                first, mid, last = (statistics.median(v) for v in zip(*values))
                machines = "first / middle / last machine" if runs[0]["leechers"] > 1 else "machine"
                after = f"{first:.2f} / {mid:.2f} / {last:.2f}" if runs[0]["leechers"] > 1 else f"{mid:.2f}"
                words.append(f"{what} at the {machines} after {after} s")
    if calls := get("recv_calls"):
        chunks = runs[0]["leechers"] * runs[0]["size"] / MIB
        words.append(f"{statistics.median(calls) / chunks:.1f} calls of recv for each chunk")
    if not runs[0]["bound"] and get("wall"):
        words.append(f"{statistics.median(r['leechers'] * r['size'] / MIB / r['wall'] for r in runs):.0f} MiB/s")
    return "; ".join(words)


def middle(values, digits=2):
    """The median, with the worst (largest) of several."""
    text = f"{statistics.median(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ({max(values):.{digits}f})"


def links(results, cases):
    rates = ", ".join(f"{mbit}: {results['rates'][mbit] * 8e-6:.1f}" for mbit in sorted(results["rates"], key=int))
    out = [f"Payload of the links by iperf3, Mbit/s: {rates}."] if rates else []
    for case, ring in results["rings"].items():
        if case in cases:
            out.append(f"{case}, all leechers at once: {ring['mean']:.2f} of that on average, the slowest "
                       f"{ring['slowest']:.2f}, {ring['busy_cores']:.1f} cores busy.")
    return [" ".join(out)] if out else []


def table(rows):
    head = [title for title, _ in rows[0]]
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(out + ["| " + " | ".join(text for _, text in row) + " |" for row in rows])


def create_table(results):
    spread = lambda values: f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"
    return table([[("command", c["what"]), ("wall, s", spread(c["wall"])), ("CPU s", spread(c["cpu"])),
                   ("GiB/s", spread([c["size"] / GIB / w for w in c["wall"]])),
                   ("hash", c["hash"])] for c in results["create"]])
