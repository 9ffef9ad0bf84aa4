"""A driver tells the harness how to run one tool. To add a tool, write one class with these
methods in a file beside this one and name it in DRIVERS. A `host` is a net.Host: host.ip, host.zone,
host.dir (a private directory), host.spawn(argv) and host.run(argv)."""
import hashlib, importlib, os, shutil, subprocess, time, urllib.parse

DRIVERS = {  # name -> (module, class)
    "tinytorrent": ("tinytorrent", "Tinytorrent"),
    "tinytorrent-tree": ("tinytorrent", "TinytorrentTree"),
    "tinytorrent-tls": ("tinytorrent_tls", "TinytorrentTls"),
    "tinytorrent-strangers": ("tinytorrent_tls", "TinytorrentStrangers"),
    "aria2": ("aria2", "Aria2"),
    "transmission": ("transmission", "Transmission"),
    "libtorrent": ("libtorrent", "Libtorrent"),
    "libtorrent-default": ("libtorrent", "LibtorrentDefault"),
    "libtorrent-ss": ("libtorrent", "LibtorrentSuperSeeding"),
    "rqbit": ("rqbit", "Rqbit"),
    "http": ("http", "Http"),
    "rsync": ("rsync", "Rsync"),
}


def load(name):
    module, cls = DRIVERS[name]
    driver = getattr(importlib.import_module(f"drivers.{module}"), cls)
    driver.name = name
    return driver


def wait_for(condition, what, timeout=60, every=0.05):
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(every)


class Driver:
    name = "?"
    swarm = True        # False: every byte comes from the seeder (the cases shrink the file then)
    programs = {}       # each program that it needs -> the Debian package that has it
    version_argv = None

    def __init__(self, piece_size, peers):
        self.piece_size, self.peers = piece_size, peers

    @classmethod
    def missing(cls):
        """The programs that are not installed, and where to get them."""
        return [f"{program} ({package})" for program, package in cls.programs.items() if not shutil.which(program)]

    @classmethod
    def version(cls):
        out = subprocess.run(cls.version_argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return out.stdout.strip().splitlines()[0]

    def start_tracker(self, host):
        """Start what peers need to find each other (nothing by default)."""

    def prepare(self, host):
        """Give the seeder or a leecher what it needs before the clock starts (nothing by default)."""

    def start_seeder(self, host, file):
        """Make the metadata, start serving `file`; return the metadata once leechers may start."""
        raise NotImplementedError

    def start_leecher(self, host, metadata, dest):
        """Start fetching into the path `dest`, and go on serving others afterwards. Must not block."""
        raise NotImplementedError

    def is_complete(self, dest):
        """Whether the file at `dest` is whole. Called every few milliseconds: keep it cheap."""
        raise NotImplementedError

    def has_data(self, dest):
        """Whether the first chunk is on the leecher's disk (False if that cannot be known). It must be as cheap."""
        return False

    def sha256(self, dest):
        """The SHA-256 of what was fetched, which must be the source file's."""
        with open(dest, "rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest()


class TorrentDriver(Driver):
    """BitTorrent tools: mktorrent makes the metadata, opentracker introduces the peers."""
    own_programs = {}

    @classmethod
    def missing(cls):
        common = {"mktorrent": "mktorrent", "opentracker": "opentracker", "curl": "curl"}
        cls.programs = {**cls.own_programs, **common}
        return super().missing()

    def start_tracker(self, host):
        self.tracker = host
        self.url = f"http://{host.ip}:6969"

    def make_torrent(self, host, file):
        torrent = os.path.join(host.dir, "data.torrent")
        subprocess.run(["mktorrent", "-l", str(self.piece_size.bit_length() - 1), "-n", "data.bin",
                        "-a", f"{self.url}/announce", "-o", torrent, file],
                       check=True, stdout=subprocess.DEVNULL)
        with open(torrent, "rb") as f:
            data = f.read()
        info = data[data.index(b"4:info") + 6:-1]
        self.info_hash = hashlib.sha1(info).digest()
        # Debian's opentracker only serves the torrents on its whitelist.
        with open(os.path.join(self.tracker.dir, "whitelist"), "w") as f:
            f.write(self.info_hash.hex() + "\n")
        os.chmod(self.tracker.dir, 0o755)
        self.tracker.spawn(["opentracker", "-i", self.tracker.ip, "-p", "6969", "-P", "6969",
                            "-d", self.tracker.dir, "-w", "/whitelist", "-u", "nobody"])
        self.scrape = f"{self.url}/scrape?info_hash={urllib.parse.quote(self.info_hash)}"
        wait_for(lambda: b"files" in self._scrape(), "tracker up")
        return torrent

    def _scrape(self):
        return self.tracker.run(["curl", "-s", self.scrape])

    def wait_announced(self, host):
        """Wait until the tracker has heard of the complete seeder."""
        def announced():
            if host.procs[-1].poll() is not None:
                raise RuntimeError("the seeder ended: " + host.log(len(host.procs) - 1)[-300:])
            return b"8:completei1e" in self._scrape()
        wait_for(announced, "seeder announced", timeout=120)

    def seed_dir(self, host, file):
        """A directory in which the shared file appears under the torrent's name."""
        path = os.path.join(host.dir, "seed")
        os.makedirs(path)
        os.link(file, os.path.join(path, "data.bin"))
        return path
