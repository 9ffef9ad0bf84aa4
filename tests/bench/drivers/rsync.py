import os
from drivers import Driver, wait_for


class Rsync(Driver):
    """An rsync daemon on the seeder, one rsync client on each leecher."""
    swarm = False
    programs = {"rsync": "rsync"}
    version_argv = ["rsync", "--version"]

    def start_seeder(self, host, file):
        os.makedirs(os.path.join(host.dir, "seed"))
        os.link(file, os.path.join(host.dir, "seed", "data.bin"))
        conf = os.path.join(host.dir, "rsyncd.conf")
        with open(conf, "w") as f:
            f.write(f"use chroot = no\nmax connections = 0\n[seed]\npath = {host.dir}/seed\nuid = root\ngid = root\n")
        host.spawn(["rsync", "--daemon", "--no-detach", "--port", "8730", "--config", conf])
        url = f"rsync://{host.ip}:8730/seed/data.bin"
        wait_for(lambda: b"data.bin" in host.run(["rsync", url]), "rsync daemon up")
        return url

    def start_leecher(self, host, metadata, dest):
        host.spawn(["rsync", "--whole-file", metadata, dest])

    def is_complete(self, dest):
        return os.path.exists(dest)  # rsync writes a temporary file and renames it at the end
