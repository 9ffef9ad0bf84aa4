"""Counts how often a machine's daemon calls recv. perf does not slow it down as much as strace, which would change the
count: whoever reads late finds more bytes."""
import os, shutil, signal, time

EVENT = "syscalls:sys_enter_recvfrom"


def missing():
    """Why calls cannot be counted here; None if they can."""
    return None if shutil.which("perf") else "perf is not installed (linux-perf)"


def path(host):
    return os.path.join(host.dir, "calls")


def under(host):
    """What to put before the command of a process of which the calls are counted."""
    return ["perf", "stat", "-x", ",", "-e", EVENT, "-o", path(host), "--"]


def ended(host, timeout=20):
    """Ends a daemon in order, so that perf writes what it has counted, and returns that."""
    counter = host.procs[0]
    for pid in host.group.pids():
        if pid != counter.pid:
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
    deadline = time.monotonic() + timeout
    while counter.poll() is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{host.name}: the daemon did not end within {timeout} s")
        time.sleep(0.01)
    with open(path(host)) as f:
        return parse(f.read())


def parse(text):
    """The count in what `perf stat -x ,` wrote."""
    for line in text.splitlines():
        fields = line.split(",")
        if len(fields) > 2 and fields[2] == EVENT and fields[0].isdigit():
            return int(fields[0])
    raise RuntimeError(f"perf has counted nothing: {text.strip()}")
