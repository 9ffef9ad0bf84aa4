"""What the links really carry: TCP payload bytes/s by iperf3. The bounds are computed from these."""
import json, os, statistics, time
import net
from cases import Machine

PORT = "5201"


def rates(wanted, workdir):
    """Mbit/s -> payload bytes/s of one TCP flow between two machines with such links."""
    measured = {}
    for mbit in wanted:
        link = Machine(mbit, mbit)
        with net.Network({"a": link, "b": link}, None, workdir) as n:
            a, b = n.hosts.values()
            measured[str(mbit)] = _flows([(a, b)])[0]
    return measured


def of(measured):
    """A function from a link's Mbit/s to its payload bytes/s. What is not shaped is left out of any bound."""
    return lambda mbit: measured[str(mbit)] if mbit else 1e15


def all_at_once(case, workdir, measured):
    """Every leecher sends to the next one at full rate: shows whether this machine can carry the case. Returns the
    slowest and the mean rate as a share of what the two ends' links should give, and how many cores were busy."""
    with net.Network(case.machines(), case.zone_link, workdir) as n:
        hosts = [n.hosts[name] for name in n.hosts if name.startswith("leech")]
        pairs = [(h, hosts[(i + 1) % len(hosts)]) for i, h in enumerate(hosts)]
        links = [n.machines[h.name] for h in hosts]
        before, begin = busy_seconds(), time.monotonic()
        got = _flows(pairs)
        busy = (busy_seconds() - before) / (time.monotonic() - begin)
        due = [min(of(measured)(m.up), of(measured)(links[(i + 1) % len(links)].down)) for i, m in enumerate(links)]
        shares = [g / d for g, d in zip(got, due)]
        return {"slowest": min(shares), "mean": statistics.mean(shares), "busy_cores": busy}


def _flows(pairs, seconds=4):
    """Payload bytes/s of one flow per pair (from, to), all at the same time."""
    servers = [to.spawn(["iperf3", "-s", "-1", "-p", PORT]) for _, to in pairs]
    for _, to in pairs:
        _await_listener(to)
    clients = [(h, h.spawn(["iperf3", "-c", to.ip, "-p", PORT, "-J", "-O", "1", "-t", str(seconds)]))
               for h, to in pairs]
    got = []
    for host, client in clients:
        client.wait(timeout=seconds + 30)
        report = json.loads(host.log(host.procs.index(client)))
        if "error" in report:
            raise RuntimeError(f"iperf3: {report['error']}")
        got.append(report["end"]["sum_received"]["bits_per_second"] / 8)
    for server in servers:
        server.wait(timeout=10)
    return got


def _await_listener(host, timeout=10):
    deadline = time.monotonic() + timeout
    while PORT not in host.run(["ss", "-Hltn", f"sport = :{PORT}"]).decode():
        if time.monotonic() > deadline:
            raise TimeoutError("iperf3 does not listen")
        time.sleep(0.02)


def busy_seconds():
    """Processor seconds that the whole machine has been busy with since boot."""
    with open("/proc/stat") as f:
        v = [int(x) for x in f.readline().split()[1:9]]
    return (sum(v) - v[3] - v[4]) / os.sysconf("SC_CLK_TCK")
