"""A control group per host: whom to kill, and how much processor time its processes have used."""
import os, signal, time


def root():
    """Where our groups live: the unified hierarchy (cgroup v2) where there is one, else cpuacct of v1."""
    with open("/proc/self/mounts") as f:
        mounts = [line.split()[:4] for line in f]
    for wanted, option in [("cgroup2", None), ("cgroup", "cpuacct")]:
        for _, path, kind, options in mounts:
            if kind == wanted and (not option or option in options.split(",")):
                return path
    raise RuntimeError("no control groups are mounted at /sys/fs/cgroup")


class Group:
    def __init__(self, name):
        self.path = os.path.join(root(), name)

    def make(self):
        os.makedirs(self.path, exist_ok=True)

    def enter(self):
        with open(f"{self.path}/cgroup.procs", "w") as f:
            f.write(str(os.getpid()))

    def pids(self):
        with open(f"{self.path}/cgroup.procs") as f:
            return [int(pid) for pid in f.read().split()]

    def cpu(self):
        """Seconds, user and system, used so far by every process that was ever in here."""
        try:
            with open(f"{self.path}/cpu.stat") as f:
                return int(f.readline().split()[1]) / 1e6
        except FileNotFoundError:
            with open(f"{self.path}/cpuacct.usage") as f:
                return int(f.read()) / 1e9

    def kill(self, reap=lambda: None, timeout=10):
        """SIGKILL to everything in here: only what the harness started is. `reap` waits for our own children."""
        deadline = time.monotonic() + timeout
        while (pids := self.pids()) and time.monotonic() < deadline:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            reap()
            time.sleep(0.01)

    def remove(self):
        try:
            os.rmdir(self.path)
        except FileNotFoundError:
            pass


def named(wanted):
    """All groups whose names `wanted` is true of."""
    return [Group(name) for name in os.listdir(root()) if wanted(name)]
