import os
from drivers import Driver, wait_for

CONF = """worker_processes 2; daemon off; pid {dir}/pid; error_log {dir}/error.log;
user root; events {{ worker_connections 512; }}
http {{ access_log off; sendfile on; sendfile_max_chunk 1m; tcp_nopush on; tcp_nodelay on;
  client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir};
  uwsgi_temp_path {dir}; scgi_temp_path {dir};
  server {{ listen {ip}:80; root {dir}/seed; }} }}
"""


class Http(Driver):
    """nginx on the seeder, curl on the leechers: what people use today."""
    swarm = False
    programs = {"nginx": "nginx-light", "curl": "curl"}
    version_argv = ["nginx", "-v"]

    def start_seeder(self, host, file):
        os.makedirs(os.path.join(host.dir, "seed"))
        os.link(file, os.path.join(host.dir, "seed", "data.bin"))
        conf = os.path.join(host.dir, "nginx.conf")
        with open(conf, "w") as f:
            f.write(CONF.format(dir=host.dir, ip=host.ip))
        host.spawn(["nginx", "-c", conf, "-e", os.path.join(host.dir, "error.log")])
        url = f"http://{host.ip}/data.bin"
        wait_for(lambda: b"200 OK" in host.run(["curl", "-sI", url]), "nginx up")
        return url

    def start_leecher(self, host, metadata, dest):
        host.spawn(["sh", "-c", 'curl -sf -o "$1.part" "$0" && mv "$1.part" "$1"', metadata, dest])

    def is_complete(self, dest):
        return os.path.exists(dest)
