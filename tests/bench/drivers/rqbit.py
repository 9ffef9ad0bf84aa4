import os, shutil
from drivers import TorrentDriver

RQBIT = os.environ.get("RQBIT") or shutil.which("rqbit") or "rqbit"
FLAGS = ["--disable-dht", "--disable-lsd", "--disable-upnp-port-forward", "--ipv4-only",
         "--listen-ip", "0.0.0.0", "--listen-port", "4240", "--tracker-refresh-interval", "5s",
         "--peer-limit", "200"]


class Rqbit(TorrentDriver):
    own_programs = {RQBIT: "cargo install rqbit --no-default-features --features default-tls"}
    version_argv = [RQBIT, "--version"]

    def _start(self, host, torrent, directory):
        host.spawn([RQBIT, *FLAGS, "download", "--disable-http-api", "--overwrite",
                    "-o", directory, torrent], env={**os.environ, "HOME": host.dir, "NO_COLOR": "1"})

    def start_seeder(self, host, file):
        torrent = self.make_torrent(host, file)
        self._start(host, torrent, self.seed_dir(host, file))  # checks the file, then seeds
        self.wait_announced(host)
        return torrent

    def start_leecher(self, host, metadata, dest):
        self._leechers = getattr(self, "_leechers", {})
        self._leechers[dest] = host
        self._start(host, metadata, os.path.dirname(dest))

    def is_complete(self, dest):
        return "torrent finished downloading" in self._leechers[dest].log()
