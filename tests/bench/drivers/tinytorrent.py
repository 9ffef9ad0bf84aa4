import glob, hashlib, os
from drivers import Driver, wait_for

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), *[".."] * 3))
BIN = os.environ.get("TT_BIN") or os.path.join(ROOT, "target", "release")


def binary(name):
    return os.path.abspath(os.path.join(BIN, name))


TREE_FILES, TREE_FILES_EACH = 5000, 100   # the files of the directory, and how many are in one of its directories


class Tinytorrent(Driver):
    """ttd with its defaults: nothing is tuned for the benchmark. A configuration file of its own keeps it from
    the machine's; nothing stands in it but the zone, if the host has one."""
    programs = {binary(name): "cargo build --release --bins" for name in ("ttd", "ttctl", "tt-tracker")}
    version_argv = [binary("ttd"), "--version"]

    @classmethod
    def version(cls):
        commit = os.environ.get("TT_COMMIT")
        return super().version() + (f" (commit {commit})" if commit else "")

    def config(self, host, text):
        path = os.path.join(host.dir, "config.toml")
        with open(path, "w") as f:
            f.write(text)
        return ["--config", path]

    def tracker_settings(self, host):
        return ""

    def settings(self, host):
        """The configuration of a daemon."""
        return f'zone = "{host.zone}"\n' if host.zone else ""

    def start_tracker(self, host):
        self.tracker, self.url = host, f"tt://{host.ip}:7986"
        host.spawn([binary("tt-tracker"), "7986", *self.config(host, self.tracker_settings(host))])

    def start_daemon(self, host, folder):
        host.spawn([binary("ttd"), folder, *self.config(host, self.settings(host))])
        return [binary("ttctl"), "--directory", folder]

    def start_seeder(self, host, file):
        folder = os.path.join(host.dir, "seed")
        os.makedirs(folder)
        name, path = self.place(folder, file)
        ttctl = self.start_daemon(host, folder)
        wait_for(lambda: b'"resources"' in host.run([*ttctl, "status", "--json"]), "ttd up")
        host.run([*ttctl, "share", path, "--tracker", self.url], timeout=120)
        wait_for(lambda: b'"seeding"' in host.run([*ttctl, "status", name, "--json"]), "seeding", timeout=120)
        return os.path.join(folder, f"{name}.tinytorrent")

    def place(self, folder, file):
        """Puts the content where it is shared; returns its name in TinyTorrent and its path."""
        path = os.path.join(folder, "data.bin")
        os.link(file, path)
        return "data.bin", path

    def start_leecher(self, host, metadata, dest):
        # A cold daemon: `ttctl get` as soon as the control socket is there, and once more should nobody listen yet.
        # `read` waits on a pipe that stays silent: a sleep that costs no process.
        folder = os.path.dirname(dest)
        ttctl = self.start_daemon(host, folder)
        script = ('exec 3<>"$0"; until [ -S "$1" ] && "${@:2}"; do read -t 0.005 -u 3; done')
        fifo = os.path.join(host.dir, "silence")
        os.mkfifo(fifo)
        socket = os.path.join(folder, ".tinytorrent", "ttd.sock")
        host.spawn(["bash", "-c", script, fifo, socket, *ttctl, "get", "--detach", metadata])

    def is_complete(self, dest):
        return os.path.exists(dest)  # published by a rename when verified

    def has_data(self, dest):
        """The part file is sparse, and holds verified chunks only: whatever it has is at least one of them."""
        folder = glob.escape(os.path.join(os.path.dirname(dest), ".tinytorrent"))
        parts = glob.glob(os.path.join(folder, "resources", "*", "data.part"))
        return os.path.exists(dest) or any(_blocks(part) for part in parts)


class TinytorrentTree(Tinytorrent):
    """The same content as a directory of 5,000 files of the same size, to be compared with the one file."""

    def place(self, folder, file):
        top = os.path.join(folder, "data")
        each = -(-os.path.getsize(file) // TREE_FILES)
        with open(file, "rb") as source:
            for number in range(TREE_FILES):
                path = os.path.join(top, f"{number // TREE_FILES_EACH:03}", f"{number:05}")
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as part:
                    part.write(source.read(each))
        return "data.tar", top

    def is_complete(self, dest):
        return os.path.exists(_tree(dest))  # it gets its name when it is verified

    def has_data(self, dest):
        return super().has_data(dest) or self.is_complete(dest)

    def sha256(self, dest):
        """Of all files in order: that of the file that they were cut from."""
        digest = hashlib.sha256()
        for directory, directories, files in os.walk(_tree(dest)):
            directories.sort()
            for name in sorted(files):
                with open(os.path.join(directory, name), "rb") as f:
                    digest.update(f.read())
        return digest.hexdigest()


def _tree(dest):
    return os.path.join(os.path.dirname(dest), "data")


def _blocks(path):
    try:
        return os.stat(path).st_blocks
    except FileNotFoundError:
        return 0
