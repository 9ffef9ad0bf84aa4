"""A private network: one namespace per host, all joined by bridges that live in a namespace of their own, so
that no address and no interface ever appears outside of them. Everything made here bears PREFIX and the
harness's process id in its name, and nothing else is ever touched."""
import contextlib, ctypes, os, re, shutil, signal, subprocess, threading
from dataclasses import dataclass
import cgroup

PREFIX = "ttbench"
OURS = re.compile(PREFIX + r"\d+(-|$)")
HEADERS = 66  # bytes per frame: Ethernet 14, IPv4 20, TCP 20, time stamps 12. Not payload.
_libc = ctypes.CDLL(None, use_errno=True)


def sh(*argv, check=True, text=None):
    """Run a command that is over at once, out of reach of the terminal's ^C."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, input=text,
                          start_new_session=True)
    if done.returncode and check:
        raise RuntimeError(f"{' '.join(argv)}: {done.stdout.strip()}")
    return done.stdout


def enter_namespace(name):
    with open(f"/run/netns/{name}") as f:
        if _libc.setns(f.fileno(), 0x40000000):  # CLONE_NEWNET
            raise OSError(ctypes.get_errno(), f"cannot enter namespace {name}")


@contextlib.contextmanager
def undisturbed():
    """Signals wait: what is cleaned up is cleaned up to the end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Host:
    """One machine: a network namespace, a control group and a directory."""

    def __init__(self, net, name, ip, mac, machine):
        self.net, self.name, self.ip, self.mac, self.zone = net, name, ip, mac, machine.zone
        self.ns = f"{net.prefix}-{name}"
        self.dir = os.path.join(net.dir, name)
        self.group = cgroup.Group(self.ns)
        self.procs, self.peak_rss, self.peak_anon = [], 0, 0
        self.under = []     # what the first process is started with: a program that watches it
        os.makedirs(self.dir)
        self.group.make()
        sh("ip", "netns", "add", self.ns)

    def _enter(self):  # in the child, before exec
        self.group.enter()
        enter_namespace(self.ns)

    def spawn(self, argv, **kw):
        """Start a long-lived process here; its output goes to log-N in the host's directory."""
        with open(os.path.join(self.dir, f"log-{len(self.procs)}"), "w") as log:
            under = [] if self.procs else self.under
            proc = subprocess.Popen([*under, *argv], cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=self._enter, **kw)
        self.procs.append(proc)
        return proc

    def run(self, argv, timeout=20):
        """Run a short command here and return its standard output as bytes."""
        return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
                              preexec_fn=self._enter, timeout=timeout).stdout

    def log(self, n=0):
        try:
            with open(os.path.join(self.dir, f"log-{n}"), errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def sample_memory(self):
        """Update the peaks in bytes. Resident: what all processes have now, or the kernel's own record of the
        largest one (VmHWM), whichever is more. Anonymous: without mapped files."""
        rss = anon = 0
        for pid in self.group.pids():
            try:
                with open(f"/proc/{pid}/status") as f:
                    fields = dict(line.split(":", 1) for line in f)
                kib = {key: int(fields[key].split()[0]) for key in ("VmRSS", "VmHWM", "RssAnon")}
            except (OSError, KeyError):
                continue  # it has ended meanwhile
            rss, anon = rss + kib["VmRSS"] * 1024, anon + kib["RssAnon"] * 1024
            self.peak_rss = max(self.peak_rss, kib["VmHWM"] * 1024)
        self.peak_rss, self.peak_anon = max(self.peak_rss, rss), max(self.peak_anon, anon)

    def kill(self):
        self.group.kill(reap=lambda: [proc.poll() for proc in self.procs])
        for proc in self.procs:
            proc.wait(timeout=5)


@dataclass(frozen=True)
class Count:
    """TCP payload bytes that went through a port of the switch: to the switch, from the switch."""
    received: int
    sent: int


class Network:
    """The machines of a case, each at a port of its zone's bridge. Zones other than the seeder's hang on the
    seeder's by a link of their own. Use it in a `with`: at its end nothing of it is left."""

    def __init__(self, machines, zone_link, workdir):
        self.prefix = f"{PREFIX}{os.getpid()}"
        self.dir = os.path.join(workdir, self.prefix)
        self.switch = f"{self.prefix}-switch"
        self.machines, self.zone_link, self.hosts, self.counters = machines, zone_link, {}, None
        self.bridges = {}  # zone -> bridge; the first is the seeder's

    def __enter__(self):
        try:
            shutil.rmtree(self.dir, ignore_errors=True)
            os.makedirs(self.dir)
            os.chmod(self.dir, 0o755)
            sh("ip", "netns", "add", self.switch)
            sh("ip", "netns", "exec", self.switch, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
            for i, (name, machine) in enumerate(self.machines.items()):
                self._add_host(name, machine, i + 1, f"p{i}")
            # Fixed ARP entries: learned ones overflow the kernel's one table at 34 hosts (1024).
            arp = "".join(f"neigh replace {h.ip} lladdr {h.mac} nud permanent dev eth0\n"
                          for h in self.hosts.values())
            for host in self.hosts.values():
                sh("ip", "-n", host.ns, "-batch", "-", text=arp)
            opener = threading.Thread(target=self._open_counters)
            opener.start()
            opener.join()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _bridge(self, zone):
        """The zone's bridge; the first time it is made, and joined to the seeder's."""
        if zone not in self.bridges:
            n = len(self.bridges)
            bridge = self.bridges[zone] = f"br{n}"
            sh("ip", "-n", self.switch, "link", "add", bridge, "type", "bridge", "forward_delay", "0",
               "mcast_snooping", "0")
            sh("ip", "-n", self.switch, "link", "set", bridge, "up")
            if n:
                near, far = f"near{n}", f"far{n}"
                sh("ip", "-n", self.switch, "link", "add", near, "type", "veth", "peer", "name", far)
                sh("ip", "-n", self.switch, "link", "set", near, "master", "br0", "up")
                sh("ip", "-n", self.switch, "link", "set", far, "master", bridge, "up")
                for end in (near, far):
                    self._shape(self.switch, end, self.zone_link)
        return self.bridges[zone]

    def _add_host(self, name, machine, number, port):
        host = self.hosts[name] = Host(self, name, f"10.77.0.{number}", f"02:00:0a:4d:00:{number:02x}", machine)
        host.port = port
        sh("ip", "netns", "exec", host.ns, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        sh("ip", "-n", self.switch, "link", "add", port, "type", "veth",
           "peer", "name", "eth0", "address", host.mac, "netns", host.ns)
        sh("ip", "-n", self.switch, "link", "set", port, "master", self._bridge(machine.zone), "up")
        sh("ip", "-n", host.ns, "addr", "add", f"{host.ip}/24", "dev", "eth0")
        sh("ip", "-n", host.ns, "link", "set", "eth0", "up")
        sh("ip", "-n", host.ns, "link", "set", "lo", "up")
        self._shape(host.ns, "eth0", machine.up)
        self._shape(self.switch, port, machine.down)

    def _shape(self, ns, dev, mbit):
        # Segments of at most 16 KiB, so that a 20 KB bucket passes them whole (no bursts of a
        # small file for free); a tail-drop queue of 50 ms, at least 256 KB, as in a switch.
        if mbit:
            sh("ip", "-n", ns, "link", "set", dev, "gso_max_size", "16384")
            sh("tc", "-n", ns, "qdisc", "add", "dev", dev, "root", "tbf", "rate", f"{mbit}mbit",
               "burst", "20kb", "limit", str(max(262144, int(mbit * 1e6 / 8 * 0.05))))

    def _open_counters(self):
        """The switch's interface counters: the file stays with the namespace that it was opened in. In a thread
        of its own, since only that thread changes its namespace."""
        enter_namespace(self.switch)
        self.counters = open("/proc/thread-self/net/dev", "rb", buffering=0)

    def count(self):
        """Port -> Count. Quick enough to be asked every few milliseconds."""
        self.counters.seek(0)
        text = b"".join(iter(lambda: self.counters.read(65536), b"")).decode()
        counts = {}
        for line in text.splitlines()[2:]:
            port, numbers = line.split(":")
            n = [int(x) for x in numbers.split()]
            counts[port.strip()] = Count(n[0] - HEADERS * n[1], n[8] - HEADERS * n[9])
        return counts

    def unplug(self, host):
        sh("ip", "-n", self.switch, "link", "set", host.port, "down")

    def __exit__(self, *_):
        with undisturbed():
            for host in self.hosts.values():
                host.kill()
            if self.counters:
                self.counters.close()
            for ns in [h.ns for h in self.hosts.values()] + [self.switch]:
                sh("ip", "netns", "del", ns, check=False)
            for host in self.hosts.values():
                host.group.remove()
            shutil.rmtree(self.dir, ignore_errors=True)


def clean(workdir):
    """Remove every namespace, control group and file of a harness, with the processes in them. To be called by
    the only harness that runs (bench.py holds a lock), so that none of this is in use."""
    with undisturbed():
        for group in cgroup.named(OURS.match):
            group.kill()
            group.remove()
        for line in sh("ip", "netns", "list").splitlines():
            if OURS.match(line.split()[0]):
                sh("ip", "netns", "del", line.split()[0])
        for name in filter(OURS.match, os.listdir(workdir)):
            path = os.path.join(workdir, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
