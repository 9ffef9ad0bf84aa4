import json, os, shutil
from drivers import TorrentDriver

SETTINGS = {"dht-enabled": False, "utp-enabled": False, "lpd-enabled": False, "pex-enabled": True,
            "port-forwarding-enabled": False, "rpc-enabled": False, "encryption": 0,
            "peer-limit-global": 1000, "peer-limit-per-torrent": 200, "upload-slots-per-torrent": 14,
            "speed-limit-up-enabled": False, "speed-limit-down-enabled": False,
            "ratio-limit-enabled": False, "idle-seeding-limit-enabled": False,
            "download-queue-enabled": False, "seed-queue-enabled": False,
            "scrape-paused-torrents-enabled": False, "cache-size-mb": 64, "preallocation": 0,
            "prefetch-enabled": False, "rename-partial-files": True, "message-level": 2}
EXTRA = json.loads(os.environ.get("TR_SETTINGS", "{}"))  # for trying other settings by hand


class Transmission(TorrentDriver):
    own_programs = {"transmission-daemon": "transmission-daemon"}
    version_argv = ["transmission-daemon", "--version"]

    def _start(self, host, torrent, directory):
        config = os.path.join(host.dir, "config")
        os.makedirs(os.path.join(config, "torrents"))
        shutil.copy(torrent, os.path.join(config, "torrents"))  # loaded when the daemon starts
        with open(os.path.join(config, "settings.json"), "w") as f:
            json.dump({**SETTINGS, "download-dir": directory, **EXTRA}, f)
        host.spawn(["transmission-daemon", "-f", "-g", config])

    def start_seeder(self, host, file):
        torrent = self.make_torrent(host, file)
        self._start(host, torrent, self.seed_dir(host, file))
        self.wait_announced(host)
        return torrent

    def start_leecher(self, host, metadata, dest):
        self._start(host, metadata, os.path.dirname(dest))

    def is_complete(self, dest):
        return os.path.exists(dest)  # it is data.bin.part until then
