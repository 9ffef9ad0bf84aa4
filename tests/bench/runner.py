"""Runs one case with one tool once and returns what was measured as a dict."""
import hashlib, os, shutil, statistics, subprocess, time
import calls, drivers, net, payload, warm

POLL = 0.005            # seconds between looks at the leechers in the beginning, and while a fault is to come …
POLL_LATER = 0.02       # … and later: looking takes processor time from what is measured
BEGINNING = 3.0         # seconds
MEMORY = 0.2            # seconds between memory samples
FIRST_BYTES = 64 << 10  # what must have come over a leecher's link for its first bytes to be there: no talk is so long
GIB = 1 << 30


def make_file(path, size):
    """Random bytes, so that nothing compresses; returns the sha256."""
    digest = hashlib.sha256()
    with open(path, "wb") as f:
        while size:
            block = os.urandom(min(size, 1 << 22))
            f.write(block)
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()


class Source:
    """The file to distribute, made once for runs of the same size."""

    def __init__(self, workdir):
        self.path, self.size = os.path.join(workdir, f"{net.PREFIX}{os.getpid()}-source"), None

    def make(self, size):
        if size != self.size:
            self.digest, self.size = make_file(self.path, size), size


def size_for(case, cls):
    return case.size if cls.swarm or not case.fanout_size else case.fanout_size


def room_missing(case, size, workdir):
    """Why the case does not fit into the work directory; None if it does."""
    need, free = size * (len(case.leechers) + 1) * 1.05, shutil.disk_usage(workdir).free
    return f"needs {need / GIB:.1f} GiB in {workdir}, which has {free / GIB:.1f} GiB left" if need > free else None


class Distribution:
    """Distributes one file: starts the leechers, watches them, and causes the faults of the case."""

    def __init__(self, network, case, driver, source, counts_calls):
        self.net, self.case, self.driver, self.source = network, case, driver, source
        self.counts_calls = counts_calls
        self.seeder = network.hosts["seeder"]
        self.leechers = [h for name, h in network.hosts.items() if name.startswith("leech")]
        self.machine = {h: network.machines[h.name] for h in self.leechers}
        self.dest = {h: os.path.join(h.dir, "out", "data.bin") for h in self.leechers}
        for dest in self.dest.values():
            os.makedirs(os.path.dirname(dest))
        self.starts, self.first_bytes, self.first_data, self.done = {}, {}, {}, {}  # host -> seconds
        self.fault = None       # when it happened and how many copies had left, if it did
        self.sampled = -MEMORY
        self.reserve = None     # memory that is held for what will be written
        if counts_calls:
            for h in self.leechers:
                h.under = calls.under(h)

    def prepare(self):
        self.driver.start_tracker(self.net.hosts["tracker"])
        for h in (self.seeder, *self.leechers):
            self.driver.prepare(h)
        self.metadata = self.driver.start_seeder(self.seeder, self.source.path)
        self.cpu_before = {h: h.group.cpu() for h in self.net.hosts.values()}
        self.count_before = self.net.count()

    def go(self, limit):
        """From just before the first leecher's start to the last one's end; TimeoutError after `limit` seconds."""
        self.start = time.monotonic()
        busy = payload.busy_seconds()
        while len(self.done) < len(self.leechers):
            self.step()
            if self.now() > limit:
                missing = len(self.leechers) - len(self.done)
                raise TimeoutError(f"{missing} of {len(self.leechers)} leechers not complete after {limit:.0f} s")
            is_brief = self.now() < BEGINNING or (self.case.fault and not self.fault)
            time.sleep(POLL if is_brief else POLL_LATER)
        self.busy_cores = (payload.busy_seconds() - busy) / self.now()

    def now(self):
        return time.monotonic() - self.start

    def step(self):
        if self.reserve:
            self.reserve.follow()
        for h in self.leechers:
            if h not in self.starts and self.now() >= self.machine[h].delay:
                self.starts[h] = self.now()
                self.driver.start_leecher(h, self.metadata, self.dest[h])
        running = [h for h in self.starts if h not in self.done]
        for h in running:
            if self.driver.is_complete(self.dest[h]):
                self.done[h] = self.now()
        if len(self.first_bytes) < len(self.leechers) or (self.case.fault and not self.fault):
            self.look_at_links(running)
        for h in running:
            if h not in self.first_data and self.driver.has_data(self.dest[h]):
                self.first_data[h] = self.now() - self.starts[h]
        if self.now() - self.sampled >= MEMORY or len(self.done) == len(self.leechers):
            self.sampled = self.now()
            for h in self.net.hosts.values():
                h.sample_memory()

    def look_at_links(self, running):
        count, now = self.net.count(), self.now()
        for h in running:
            came = count[h.port].sent - self.count_before[h.port].sent
            if h not in self.first_bytes and came >= min(FIRST_BYTES, self.source.size):
                self.first_bytes[h] = now - self.starts[h]
        fault, sent = self.case.fault, self.sent(self.seeder.port, count)
        if fault and not self.fault and sent >= fault.copies:
            self.fault = {"at": now, "sent": sent}
            self.seeder.kill() if fault.kind == "kill" else self.net.unplug(self.seeder)

    def sent(self, port, count):
        """Copies of the file, by payload bytes, that went to the switch through this port."""
        return (count[port].received - self.count_before[port].received) / self.source.size

    def measures(self):
        """The results, once all leechers are done."""
        count = self.net.count()
        group = sorted(t for h, t in self.done.items() if not self.machine[h].apart)
        cpu = {h: h.group.cpu() - before for h, before in self.cpu_before.items()}
        leechers = [cpu[h] for h in self.leechers]
        last = max(self.done.values())
        delivered = len(self.leechers) * self.source.size / GIB
        measured = {
            "wall": group[-1], "mean": statistics.mean(group), "first": group[0], "wall_all": last,
            "times": {h.name: round(t, 3) for h, t in self.done.items()}, "last_start": max(self.starts.values()),
            "first_bytes": _spread(self.first_bytes), "first_data": _spread(self.first_data),
            "seeder_sent": self.sent(self.seeder.port, count),
            "cpu_total": sum(cpu.values()), "cpu_per_gib": sum(cpu.values()) / delivered,
            "cpu_seeder": cpu[self.seeder], "cpu_tracker": cpu[self.net.hosts["tracker"]],
            "cpu_leecher_mean": statistics.mean(leechers), "cpu_leecher_max": max(leechers),
            "busy_cores": self.busy_cores, "others_cores": self.busy_cores - sum(cpu.values()) / last,
            "rss_seeder": self.seeder.peak_rss, "anon_seeder": self.seeder.peak_anon,
            "rss_leecher": max(h.peak_rss for h in self.leechers),
            "anon_leecher": max(h.peak_anon for h in self.leechers)}
        if self.case.zone_link:  # with several zones: the sum over their links
            links = [n for n in count if n.startswith("near")]
            measured["crossed"] = sum(count[n].sent - self.count_before[n].sent for n in links) / self.source.size
            measured["crossed_back"] = sum(self.sent(n, count) for n in links)
        if self.counts_calls:
            measured["recv_calls"] = sum(calls.ended(h) for h in self.leechers)
        return measured

    def wrong(self):
        """The leechers whose file is not the source's. Everything is killed first, at once and with SIGKILL:
        what is not in the file by now does not count."""
        for h in self.net.hosts.values():
            h.kill()
        return [h.name for h in self.leechers if self.driver.sha256(self.dest[h]) != self.source.digest]


def _spread(times):
    """First, middle and last of the machines' times, in seconds."""
    values = sorted(times.values())
    return [round(v, 3) for v in (values[0], statistics.median(values), values[-1])] if values else None


def run(case, tool, source, workdir, measured_rates, keep_logs=None, timeout=None, cold=False, counts_calls=False):
    cls = drivers.load(tool)
    size = source.size
    bounds = case.bounds(size, payload.of(measured_rates)) if case.shaped() else (None, None)
    limit = timeout or (bounds[1] * (8 if cls.swarm else 2 * len(case.leechers)) + 60 if case.shaped() else 240)
    record = {"tool": tool, "size": size, "leechers": len(case.leechers), "piece": case.piece,
              "bound": bounds[0], "bound_all": bounds[1], "ok": False,
              "warm": not cold and warm.is_in_memory(workdir)}
    with net.Network(case.machines(), case.zone_link, workdir) as n:
        distribution = Distribution(n, case, cls(case.piece, len(case.leechers) + 1), source,
                                    counts_calls)
        try:
            distribution.prepare()
            metadata = distribution.metadata
            record["metadata_bytes"] = os.path.getsize(metadata) if os.path.exists(metadata) else 0
            if record["warm"]:
                distribution.reserve = warm.Reserve(workdir, size * len(case.leechers))
            distribution.go(limit)
            record.update(distribution.measures())
            if case.shaped():
                record.update(ratio=record["wall"] / bounds[0], ratio_all=record["wall_all"] / bounds[1])
            record["bad"] = distribution.wrong()
            record["ok"] = not record["bad"]
        except (OSError, RuntimeError, subprocess.SubprocessError) as e:
            record["error"] = str(e)
        finally:
            if distribution.reserve:
                distribution.reserve.close()
        record["fault"] = distribution.fault
        record["missing"] = len(case.leechers) - len(distribution.done) + len(record.get("bad", []))
        if keep_logs:
            save_logs(n, keep_logs)
    return record


def save_logs(network, directory):
    os.makedirs(directory, exist_ok=True)
    for h in network.hosts.values():
        for i in range(len(h.procs)):
            with open(os.path.join(directory, f"{h.name}-{i}.log"), "w") as f:
                f.write(h.log(i)[-20000:])
