#!/usr/bin/env python3
"""Measures how fast tools bring one file from one machine to many, over shaped links. See README.md."""
import argparse, contextlib, datetime, fcntl, json, os, signal, sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import calls, create, drivers, needs, net, payload, report, reuse, runner, targets
from cases import CASES
from versions import VERSIONS

LOCK = "/run/ttbench.lock"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TOOLS = [tool for tool in drivers.DRIVERS if not tool.startswith("tinytorrent-")]  # those are compared with ourselves
SETS = {"targets": (targets.MEASURED, ["tinytorrent"]), "compare": (targets.MEASURED, TOOLS),
        "tls": (("e2-1x1", "half-n16"), ["tinytorrent", targets.TLS]),
        "strangers": (("e1-n8",), [targets.TLS, targets.STRANGERS])}
EXAMPLES = """examples:
  cargo xtask bench list
  cargo xtask bench run --case smoke --tools tinytorrent --runs 1
  cargo xtask bench run --case e1-n16 --tools tinytorrent,aria2,libtorrent,http --runs 3
  cargo xtask bench run --set targets            all targets, TinyTorrent alone
  cargo xtask bench run --set compare            the same cases with every tool that is installed (hours)
  cargo xtask bench run --set tls                with TLS against without, in pairs
  cargo xtask bench run --set strangers          1,000 strangers at the seeder against none, in pairs
  cargo xtask bench report                       every run so far, as a Markdown table
  cargo xtask bench report --summary             one row per case, one column per tool
  cargo xtask bench report --targets             what is met and what is missed
  cargo xtask bench clean                        after a harness was killed with SIGKILL"""


class Refused(Exception):
    """Nothing was done; the message says why."""


@contextlib.contextmanager
def alone():
    """The only harness on this machine. What others left behind is removed before, and what we leave after."""
    if problem := needs.check():
        raise Refused(problem)
    with open(LOCK, "a+") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            f.seek(0)
            raise Refused(f"another harness (process {f.read().strip()}) is measuring; wait until it is done") from None
        f.truncate(0)
        f.write(str(os.getpid()))
        f.flush()
        yield


@contextlib.contextmanager
def cleaned(workdir):
    net.clean(workdir)
    try:
        yield
    finally:
        net.clean(workdir)


def load(path):
    """The results so far, or none; those of another machine are left alone."""
    machine = needs.machine()
    try:
        with open(path) as f:
            results = json.load(f)
    except FileNotFoundError:
        return {"machine": machine, "rates": {}, "rings": {}, "runs": [], "create": []}
    return results


def load_ours(path):
    results = load(path)
    if results["machine"] != needs.machine():
        raise Refused(f"{path} has the results of another machine or kernel; name another file with --out")
    return results


def save(path, results):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + ".tmp", "w") as f:
        json.dump(results, f, indent=1)
    os.replace(path + ".tmp", path)


def chosen(args):
    """The cases and the tools to run; tools that are not installed are named and left out."""
    cases, tools = SETS[args.set] if args.set else ((), ["tinytorrent"])
    cases = args.case.split(",") if args.case else cases
    tools = args.tools.split(",") if args.tools else tools
    if not cases:
        raise Refused("which case? Name some with --case or --set; `list` shows them")
    for name, known in [(name, CASES) for name in cases] + [(name, drivers.DRIVERS) for name in tools]:
        if name not in known:
            raise Refused(f"{name} is unknown; there are {', '.join(known)}")
    installed = []
    for tool in tools:
        if missing := drivers.load(tool).missing():
            print(f"SKIPPED: {tool}, not installed: {', '.join(missing)}", flush=True)
        else:
            installed.append(tool)
    if not installed:
        raise Refused("none of these tools is installed")
    return cases, installed


def cmd_run(args):
    cases, tools = chosen(args)
    if args.calls and (problem := calls.missing()):
        raise Refused(problem)
    with alone(), cleaned(args.workdir):
        source = runner.Source(args.workdir)
        for name in cases:
            calibrate(args, name)
            for _ in range(args.runs):
                for tool in tools:
                    run_once(args, name, tool, source)


def calibrate(args, name):
    """Measure the links that this case has, unless that was done before."""
    case, results = CASES[name], load_ours(args.out)
    unknown = [rate for rate in case.rates() if args.calibrate or str(rate) not in results["rates"]]
    results["rates"] |= payload.rates(unknown, args.workdir)
    if case.shaped() and len(case.leechers) > 1 and (args.calibrate or name not in results["rings"]):
        ring = results["rings"][name] = payload.all_at_once(case, args.workdir, results["rates"])
        print(f"{name}: all leechers at once reach {ring['mean']:.2f} of their links "
              f"(the slowest {ring['slowest']:.2f})", flush=True)
    save(args.out, results)


def run_once(args, name, tool, source):
    case, cls = CASES[name], drivers.load(tool)
    if case.fault and not cls.swarm:
        print(f"SKIPPED: {name} {tool}: without a swarm nobody can end", flush=True)
        return
    if problem := runner.room_missing(case, runner.size_for(case, cls), args.workdir):
        print(f"SKIPPED: {name} {tool}: {problem}", flush=True)
        return
    source.make(runner.size_for(case, cls))
    logs = args.logs and os.path.join(args.logs, f"{name}-{tool}")
    label = args.label or ("calls counted" if args.calls else "")
    record = {"case": name, "when": datetime.datetime.now().isoformat(timespec="seconds"), "label": label,
              "version": cls.version()}
    record |= runner.run(case, tool, source, args.workdir, load(args.out)["rates"], logs, args.timeout,
                         args.cold, args.calls)
    results = load(args.out)
    results["runs"].append(record)
    save(args.out, results)
    print(report.line(record), flush=True)


def cmd_create(args):
    with alone(), cleaned(args.workdir):
        results = load_ours(args.out)
        results["create"] = create.measure(args.workdir, args.gib << 30, args.runs)
        save(args.out, results)
    print(report.create_table(results))


def cmd_reuse(args):
    names = args.content.split(",") if args.content else list(VERSIONS)
    if unknown := [name for name in names if name not in VERSIONS]:
        raise Refused(f"unknown content: {', '.join(unknown)}; known: {', '.join(VERSIONS)}")
    print(reuse.table(reuse.measure(args.workdir, names)))  # it makes no namespaces and measures no time


def cmd_list(_):
    for name, case in CASES.items():
        print(f"{name:12} {case.about}")
    for name, (cases, _) in SETS.items():
        print(f"\n--set {name}: {', '.join(cases)}")
    print("\ntools:", ", ".join(drivers.DRIVERS))


def cmd_report(args):
    results = load(args.out)
    cases = args.case.split(",") if args.case else None
    if args.json:
        print(json.dumps(results, indent=1))
    elif args.targets:
        print(report.targets(results))
    else:
        print((report.summary if args.summary else report.markdown)(results, cases))
    if results["create"] and not (args.json or args.targets or args.summary):
        print(f"\nMetadata of {results['create'][0]['size'] >> 30} GiB in memory:\n\n{report.create_table(results)}")


def cmd_clean(args):
    with alone():
        net.clean(args.workdir)


def cmd_check(_):
    if problem := needs.check():
        raise Refused(problem)


def parser():
    # Options that all commands know, before or after the command.
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--workdir", default="/dev/shm", help="where all files live (default: in memory, /dev/shm)")
    common.add_argument("--out", default=os.path.join(HERE, "results", "latest.json"), help="the file for the results")
    p = argparse.ArgumentParser(prog="cargo xtask bench", description=__doc__, epilog=EXAMPLES,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(dest="command", metavar="COMMAND")
    sub.add_parser("list", help="show the cases and the tools").set_defaults(do=cmd_list)
    r = sub.add_parser("run", parents=[common], help="run cases with tools; results are added to --out")
    r.add_argument("--case", help="names, comma-separated")
    r.add_argument("--set", choices=list(SETS), help="run a set of cases")
    r.add_argument("--tools", help="names, comma-separated (default: tinytorrent)")
    r.add_argument("--runs", type=int, default=3)
    r.add_argument("--calibrate", action="store_true", help="measure the links again")
    r.add_argument("--logs", help="keep the tools' output in this directory")
    r.add_argument("--timeout", type=float, help="seconds after which a run is stopped and counts as failed")
    r.add_argument("--cold", action="store_true", help="do not fill the memory that a run needs in advance")
    r.add_argument("--calls", action="store_true", help="count the leechers' calls of recv, with perf")
    r.add_argument("--label", default="", help="a note that is stored with each run, to distinguish variants")
    r.set_defaults(do=cmd_run)
    c = sub.add_parser("create", parents=[common], help="measure the time to create the metadata, compared with plain hashing")
    c.add_argument("--gib", type=int, default=4)
    c.add_argument("--runs", type=int, default=3)
    c.set_defaults(do=cmd_create)
    u = sub.add_parser("reuse", parents=[common], help="measure what travels when an older version is there already")
    u.add_argument("--content", help=f"comma-separated (default: all): {', '.join(VERSIONS)}")
    u.set_defaults(do=cmd_reuse)
    r = sub.add_parser("report", parents=[common], help="print the results as Markdown, or as JSON")
    r.add_argument("--case", help="only these cases, comma-separated")
    shape = r.add_mutually_exclusive_group()
    shape.add_argument("--targets", action="store_true", help="which targets are met and which are missed")
    shape.add_argument("--summary", action="store_true", help="one row per case, one column per tool")
    shape.add_argument("--json", action="store_true")
    r.set_defaults(do=cmd_report)
    c = sub.add_parser("clean", parents=[common], help="remove what a killed harness left behind")
    c.set_defaults(do=cmd_clean)
    sub.add_parser("check", help="check whether this machine has everything that is needed").set_defaults(do=cmd_check)
    return p


def stop(number, _):
    """An exception, so that everything is cleaned up, and whoever asks twice only once."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    print("interrupted; cleaning up", file=sys.stderr)
    sys.exit(128 + number)


def main():
    p = parser()
    args = p.parse_args()
    if not args.command:
        p.print_help()
        return 0
    for number in SIGNALS:
        signal.signal(number, stop)
    try:
        args.do(args)
    except Refused as refusal:
        print(f"error: {refusal}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read the report has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
