"""What has to travel when a machine has the old version of something and wants the new one: bytes, not seconds."""
import glob, json, os, re, shutil, signal, subprocess, tempfile, time
import net
from drivers.tinytorrent import binary
from versions import VERSIONS, Missing

CAP = 600


def measure(workdir, names):
    """One row for each content, with what each tool brings over."""
    rows = []
    for name in names:
        with tempfile.TemporaryDirectory(dir=workdir, prefix=f"{net.PREFIX}{os.getpid()}-reuse-") as directory:
            try:
                VERSIONS[name](directory)
            except Missing as why:
                print(f"{name}: skipped: {why}", flush=True)
                continue
            old, new = os.path.join(directory, "old"), os.path.join(directory, "new")
            row = {"what": name, "about": VERSIONS[name].__doc__.split("\n")[0], "bytes": size(new)}
            for tool, bring in TOOLS.items():
                row[tool] = bring(os.path.join(directory, tool), old, new)
            rows.append(row)
            print(name, json.dumps({key: row[key] for key in row if key != "about"}), flush=True)
    return rows


def size(path):
    """The bytes of a file, or of all files of a directory."""
    if not os.path.isdir(path):
        return os.path.getsize(path)
    return sum(os.lstat(os.path.join(at, name)).st_size for at, _, names in os.walk(path) for name in names
               if not os.path.islink(os.path.join(at, name)))


def tinytorrent(directory, old, new):
    """The bytes of the chunks that were fetched, and of those that were found here."""
    os.makedirs(directory)
    with Fleet(directory) as fleet:
        for version in (old, new):
            fleet.share(version)
            fleet.get()
        status = fleet.status()
    return {"fetched": status["bytes_fetched"], "reused": status["bytes_reused"]}


class Fleet:
    """A tracker and two daemons on loopback; they end with the block."""
    def __init__(self, directory):
        self.directory, self.processes = directory, []

    def __enter__(self):
        self.config = os.path.join(self.directory, "config.toml")
        open(self.config, "w").close()
        tracker = self.start("tracker", "tt-tracker", "--listen", "127.0.0.1:0")
        self.url = "tt://" + self.wait_for(tracker, r"listen=(\S+)")
        for name in ("here", "there"):
            log = self.start(name, "ttd", os.path.join(self.directory, name), "--listen", "127.0.0.1:0",
                             "--tracker", self.url)
            self.wait_for(log, r"is ready")
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=CAP)

    def start(self, name, program, *args):
        path = os.path.join(self.directory, f"{name}.log")
        with open(path, "w") as log:
            argv = [binary(program), "--config", self.config, *args]
            self.processes.append(subprocess.Popen(argv, stdout=log, stderr=log))
        return path

    @staticmethod
    def wait_for(path, pattern):
        end = time.monotonic() + CAP
        while time.monotonic() < end:
            with open(path) as f:
                if found := re.search(pattern, f.read()):
                    return found.groups()[0] if found.groups() else found.group()
            time.sleep(0.05)
        raise RuntimeError(f"{path}: no {pattern} within {CAP} s")

    def ctl(self, where, *args):
        argv = [binary("ttctl"), "--directory", os.path.join(self.directory, where), *args]
        return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=CAP).stdout

    def share(self, path):
        """Shares a version under the name `content`, from elsewhere."""
        content = os.path.join(os.path.dirname(path), "content")
        os.rename(path, content)
        is_directory = os.path.isdir(content)
        try:
            self.ctl("here", "share", content, "--replace", *(["--symlinks", "any"] if is_directory else []))
        finally:
            os.rename(content, path)
        self.options = ["--symlinks", "any"] if is_directory else []

    def get(self):
        self.ctl("there", "get", "content", "--replace", *self.options)

    def status(self):
        return json.loads(self.ctl("there", "status", "content", "--json"))


def rsync(directory, old, new):
    """What rsync's delta transfer sends and receives, over a pipe."""
    if not shutil.which("rsync"):
        return None
    run("cp", "-a", old, directory)
    source, target = (new + "/", directory + "/") if os.path.isdir(new) else (new, directory)
    # A file of the same size and second is compared, too.
    stats = run("rsync", "-a", "--delete", "--ignore-times", "--no-whole-file", "--stats", source, target)
    sent, received = (int(re.search(rf"Total bytes {what}: ([\d,]+)", stats)[1].replace(",", "")) for what in ("sent", "received"))
    return {"fetched": sent + received}


def casync(directory, old, new):
    """The chunks of the new version's index that the old one's does not have: as stored, compressed by zstd, and plain."""
    if not shutil.which("casync") or not shutil.which("zstd"):
        return None
    os.makedirs(directory)
    kind = "caidx" if os.path.isdir(new) else "caibx"
    chunks = {}
    for what, path in (("old", old), ("new", new)):
        store = os.path.join(directory, f"{what}.castr")
        run("casync", "make", f"--store={store}", os.path.join(directory, f"{what}.{kind}"), path)
        chunks[what] = {os.path.basename(chunk): chunk for chunk in glob.glob(os.path.join(store, "*", "*"))}
    wanted = [path for name, path in chunks["new"].items() if name not in chunks["old"]]
    index = os.path.getsize(os.path.join(directory, f"new.{kind}"))
    plain = sum(len(subprocess.run(["zstd", "-dcq", path], check=True, capture_output=True).stdout) for path in wanted)
    return {"fetched": index + plain, "compressed": index + sum(map(os.path.getsize, wanted))}


def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


TOOLS = {"tinytorrent": tinytorrent, "rsync": rsync, "casync": casync}


def table(rows):
    """The rows as Markdown, in MiB."""
    def mib(row, tool, what="fetched"):
        return "" if not row[tool] else f"{row[tool][what] / (1 << 20):.1f}"
    lines = ["| content | size, MiB | TinyTorrent | rsync | casync | casync, compressed |", "|---|---|---|---|---|---|"]
    for row in rows:
        cells = [row["about"].rstrip("."), f"{row['bytes'] / (1 << 20):.0f}", mib(row, "tinytorrent"), mib(row, "rsync"),
                 mib(row, "casync"), mib(row, "casync", "compressed")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
