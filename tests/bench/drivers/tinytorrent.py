import glob, os
from drivers import Driver, wait_for

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), *[".."] * 3))
BIN = os.environ.get("TT_BIN") or os.path.join(ROOT, "target", "release")


def binary(name):
    return os.path.abspath(os.path.join(BIN, name))


class Tinytorrent(Driver):
    """ttd with its defaults: nothing is tuned for the benchmark. A configuration file of its own keeps it from
    the machine's; nothing stands in it but the zone, if the host has one."""
    programs = {binary(name): "cargo build --release --bins" for name in ("ttd", "ttctl", "tt-tracker")}
    version_argv = [binary("ttd"), "--version"]

    @classmethod
    def version(cls):
        commit = os.environ.get("TT_COMMIT")
        return super().version() + (f" (commit {commit})" if commit else "")

    def config(self, host, text=""):
        path = os.path.join(host.dir, "config.toml")
        with open(path, "w") as f:
            f.write(text)
        return ["--config", path]

    def start_tracker(self, host):
        self.url = f"tt://{host.ip}:7986"
        host.spawn([binary("tt-tracker"), "7986", *self.config(host)])

    def start_daemon(self, host, folder):
        zone = f'zone = "{host.zone}"\n' if host.zone else ""
        host.spawn([binary("ttd"), folder, *self.config(host, zone)])
        return [binary("ttctl"), "--directory", folder]

    def start_seeder(self, host, file):
        folder = os.path.join(host.dir, "seed")
        os.makedirs(folder)
        os.link(file, os.path.join(folder, "data.bin"))
        ttctl = self.start_daemon(host, folder)
        wait_for(lambda: b'"resources"' in host.run([*ttctl, "status", "--json"]), "ttd up")
        host.run([*ttctl, "share", os.path.join(folder, "data.bin"), "--tracker", self.url], timeout=120)
        metadata = os.path.join(folder, "data.bin.tinytorrent")
        wait_for(lambda: b'"seeding"' in host.run([*ttctl, "status", "data.bin", "--json"]), "seeding", timeout=120)
        return metadata

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


def _blocks(path):
    try:
        return os.stat(path).st_blocks
    except FileNotFoundError:
        return 0
