import os, subprocess
from drivers import TorrentDriver

PYTHON = "/usr/bin/python3"  # Debian's, which has python3-libtorrent
# -P: this directory is not on its path (libtorrent.py here is not the library).
PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libtorrent_peer.py")


class Libtorrent(TorrentDriver):
    seed_mode, preset = "seed", "high_performance_seed"  # unlimited unchoke slots, large buffers

    @classmethod
    def missing(cls):
        found = subprocess.run([PYTHON, "-c", "import libtorrent"], stderr=subprocess.DEVNULL).returncode == 0
        return super().missing() + ([] if found else ["the Python module libtorrent (python3-libtorrent)"])

    @classmethod
    def version(cls):
        return "libtorrent " + subprocess.check_output(
            [PYTHON, "-c", "import libtorrent; print(libtorrent.__version__)"], text=True).strip()

    def start_seeder(self, host, file):
        torrent = self.make_torrent(host, file)
        host.spawn([PYTHON, "-P", PEER, self.preset, self.seed_mode, host.ip, torrent, self.seed_dir(host, file)])
        self.wait_announced(host)
        return torrent

    def start_leecher(self, host, metadata, dest):
        host.spawn([PYTHON, "-P", PEER, self.preset, "leech", host.ip, metadata, os.path.dirname(dest), dest + ".done"])

    def is_complete(self, dest):
        return os.path.exists(dest + ".done")


class LibtorrentSuperSeeding(Libtorrent):
    seed_mode = "super"


class LibtorrentDefault(Libtorrent):
    preset = "default_settings"  # 8 unchoke slots
