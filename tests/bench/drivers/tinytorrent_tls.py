"""TinyTorrent in a closed fleet: everybody has a certificate, and no connection is made without one."""
import os, subprocess, sys
from drivers import wait_for
from drivers.tinytorrent import Tinytorrent, binary

STRANGERS = 1000
PORT = "7987"   # of ttd


class TinytorrentTls(Tinytorrent):
    """The same with `tls = "require"`. The certificates are made before the clock starts."""

    def start_tracker(self, host):
        self.authority = os.path.join(host.dir, "ca")
        ca("init", "--no-config", "--dir", self.authority, "--node", host.name)
        super().start_tracker(host)

    def prepare(self, host):
        ca("issue", host.name, "--dir", self.authority, "-o", os.path.join(host.dir, "certificate"))

    def tracker_settings(self, host):
        return tls_settings(os.path.join(self.authority, "tracker.pem"), os.path.join(self.authority, "ca.pem"))

    def settings(self, host):
        folder = os.path.join(host.dir, "certificate")
        return super().settings(host) + tls_settings(os.path.join(folder, "identity.pem"),
                                                     os.path.join(folder, "ca.pem"))


class TinytorrentStrangers(TinytorrentTls):
    """The same while 1,000 strangers are at the seeder all the time: see strangers.py. They call from the tracker's
    machine, whose link is not shaped. They are there before the clock starts."""

    def start_seeder(self, host, file):
        metadata = super().start_seeder(host, file)
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "strangers.py")
        self.tracker.spawn([sys.executable, "-B", script, host.ip, PORT, str(STRANGERS)])
        number = len(self.tracker.procs) - 1
        wait_for(lambda: "all were there" in self.tracker.log(number), f"{STRANGERS} strangers at the seeder")
        return metadata


def tls_settings(identity, authority):
    return f'tls = "require"\ntls_identity = "{identity}"\ntls_ca = "{authority}"\n'


def ca(*argv):
    done = subprocess.run([binary("ttctl"), "ca", *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise RuntimeError(f"ttctl ca {argv[0]}: {done.stdout.strip()}")
