"""Two versions of real content for `bench reuse`: each function makes `old` and `new` in a directory, or says why not."""
import glob, os, re, shutil, sqlite3, subprocess

MIB = 1 << 20
ROWS, MORE_ROWS = 400_000, 20_000
IMAGE_MIB = 1024


class Missing(Exception):
    """The content cannot be made on this machine; the message says why."""


def run(*argv, cwd=None):
    try:
        return subprocess.run(argv, cwd=cwd, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise Missing(f"{argv[0]} is not installed") from None
    except subprocess.CalledProcessError as error:
        raise Missing(f"{' '.join(argv)}: {error.stderr.strip().splitlines()[-1:]}") from None


def package(directory, name, version=None):
    """Downloads and unpacks a Debian package. Returns the directory of its files."""
    there = os.path.join(directory, re.sub(r"[^a-z0-9.+-]", "_", f"{name}-{version}"))
    os.makedirs(there)
    run("apt-get", "download", "-qq", f"{name}={version}" if version else name, cwd=there)
    files = os.path.join(there, "files")
    run("dpkg", "-x", glob.glob(os.path.join(there, "*.deb"))[0], files)
    return files


def kernel(directory):
    """The files of the two newest kernel packages of one series. Their directories have one name in both."""
    names = run("apt-cache", "search", r"^linux-image-[0-9.]+-[0-9]+-amd64$").split("\n")
    numbers = {tuple(int(n) for n in re.findall(r"\d+", name.split()[0])[:4]): name.split()[0] for name in names if name}
    newest = sorted(numbers)[-2:]
    if len(newest) < 2 or newest[0][:3] != newest[1][:3]:
        raise Missing("this distribution has only one kernel package of the newest series")
    for what, number in zip(("old", "new"), newest):
        files = package(directory, numbers[number])
        abi = numbers[number].removeprefix("linux-image-")
        for path in sorted(glob.glob(os.path.join(files, "**", f"*{abi}*"), recursive=True), reverse=True):
            os.rename(path, os.path.join(os.path.dirname(path), os.path.basename(path).replace(abi, "kernel")))
        os.rename(files, os.path.join(directory, what))


def python(directory):
    """The two newest versions of the package with Python's standard library."""
    name = "libpython3.11-stdlib"
    versions = [line.split("|")[1].strip() for line in run("apt-cache", "madison", name).splitlines()]
    if len(versions) < 2:
        raise Missing(f"this distribution has only one version of {name}")
    for what, version in zip(("new", "old"), versions):
        os.rename(package(directory, name, version), os.path.join(directory, what))


def doc(directory):
    """/usr/share/doc before and after the ten packages were installed that came last."""
    lists = sorted(glob.glob("/var/lib/dpkg/info/*.list"), key=os.path.getmtime)[-10:]
    added = {os.path.basename(path).removesuffix(".list").split(":")[0] for path in lists}
    run("cp", "-a", "/usr/share/doc", os.path.join(directory, "new"))
    run("cp", "-a", "/usr/share/doc", os.path.join(directory, "old"))
    for name in added:
        path = os.path.join(directory, "old", name)
        if os.path.islink(path):
            os.remove(path)
        else:
            shutil.rmtree(path, ignore_errors=True)


def database(directory):
    """An SQLite database with an index, and the same with 5 % more rows."""
    old, new = os.path.join(directory, "old"), os.path.join(directory, "new")
    with sqlite3.connect(old) as db:
        db.execute("create table stations (id integer primary key, name text, at integer, value real, note text)")
        db.execute("create index by_time on stations (at)")
        add_rows(db, 0, ROWS)
    shutil.copyfile(old, new)
    with sqlite3.connect(new) as db:
        add_rows(db, ROWS, MORE_ROWS)


def add_rows(db, begin, count):
    rows = ((f"station {n % 997}", 1_700_000_000 + 60 * n, n * 7919 % 100_003 / 7, f"reading {n * n % 1_000_003:07}" * 4)
            for n in range(begin, begin + count))
    db.executemany("insert into stations (name, at, value, note) values (?, ?, ?, ?)", rows)
    db.commit()


def image(directory):
    """A raw disk image with ext4 and /usr/share/doc in it, and the same after it was mounted, 20 of its files were
    written anew, one directory was removed and 8 MiB were added."""
    old, new, mount = (os.path.join(directory, name) for name in ("old", "new", "mount"))
    os.mkdir(mount)
    run("qemu-img", "create", "-f", "raw", old, f"{IMAGE_MIB}M")
    run("mkfs.ext4", "-q", "-F", old)
    with mounted(old, mount):
        run("cp", "-a", "/usr/share/doc", mount)
    run("cp", "--sparse=always", old, new)
    with mounted(new, mount):
        entries = sorted(os.scandir(os.path.join(mount, "doc")), key=lambda entry: entry.name)
        directories = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        shutil.rmtree(directories[-1])
        for path in directories[:20]:
            with open(os.path.join(path, "copyright"), "w") as f:
                f.write("changed\n" * 500)
        with open(os.path.join(mount, "more"), "wb") as f:
            f.write(os.urandom(8 * MIB))


class mounted:
    """A disk image that is mounted."""
    def __init__(self, image, at):
        self.image, self.at = image, at

    def __enter__(self):
        run("mount", "-o", "loop", self.image, self.at)

    def __exit__(self, *_):
        run("umount", self.at)


VERSIONS = {"kernel": kernel, "python": python, "doc": doc, "database": database, "image": image}
