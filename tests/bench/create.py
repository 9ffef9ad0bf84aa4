"""E5: time and CPU to make the metadata of one file in memory, against plain hash commands."""
import os, resource, shutil, subprocess, tempfile, time
import drivers.libtorrent, drivers.rqbit, net, runner
from drivers.tinytorrent import binary

MAKE = """import sys, libtorrent as lt
fs = lt.file_storage(); lt.add_files(fs, sys.argv[1])
t = lt.create_torrent(fs, int(sys.argv[3]), flags=lt.create_torrent.v1_only)
lt.set_piece_hashes(t, sys.argv[1].rsplit("/", 1)[0])
open(sys.argv[2], "wb").write(lt.bencode(t.generate()))"""


def commands(file, out, piece):
    log2, kib = str(piece.bit_length() - 1), str(piece // 1024)
    yield "ttctl create", "sha256", [binary("ttctl"), "create", file, "--tracker", "tt://tracker.example", "-o", out]
    yield "mktorrent (2 threads)", "sha1", ["mktorrent", "-t", "2", "-l", log2, "-a", "http://x/", "-o", out, file]
    yield "mktorrent (1 thread)", "sha1", ["mktorrent", "-t", "1", "-l", log2, "-a", "http://x/", "-o", out, file]
    yield "transmission-create", "sha1", ["transmission-create", "-s", kib, "-t", "http://x/", "-o", out, file]
    yield "libtorrent set_piece_hashes", "sha1", [drivers.libtorrent.PYTHON, "-c", MAKE, file, out, str(piece)]
    yield "rqbit share", "sha1", [drivers.rqbit.RQBIT, *drivers.rqbit.FLAGS, "--disable-trackers", "share", file]
    yield "sha1sum", "sha1", ["sha1sum", file]
    yield "sha256sum", "sha256", ["sha256sum", file]
    yield "openssl sha1", "sha1", ["openssl", "dgst", "-sha1", file]
    yield "openssl sha256", "sha256", ["openssl", "dgst", "-sha256", file]
    yield "b3sum (all threads)", "blake3", ["b3sum", file]
    yield "b3sum (1 thread)", "blake3", ["b3sum", "--num-threads", "1", file]


def children():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def timed(argv):
    """Wall and CPU seconds of a command; one that goes on serving (rqbit) ends when it says so."""
    cpu, start = children(), time.monotonic()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, "NO_COLOR": "1"}) as proc:
        if argv[-2] == "share":
            while line := proc.stdout.readline():
                if "share this magnet" in line:
                    break
            wall = time.monotonic() - start
            proc.kill()
            proc.wait()
        else:
            proc.communicate(timeout=300)
            wall = time.monotonic() - start
            if proc.returncode:
                raise RuntimeError(f"{argv[0]} failed")
    return wall, children() - cpu


def measure(workdir, size, runs, piece=1 << 20):
    with tempfile.TemporaryDirectory(dir=workdir, prefix=f"{net.PREFIX}{os.getpid()}-create-") as directory:
        file, out = os.path.join(directory, "data.bin"), os.path.join(directory, "out.torrent")
        runner.make_file(file, size)
        rows = []
        for what, digest, argv in commands(file, out, piece):
            if not shutil.which(argv[0]):
                continue
            walls, cpus = [], []
            for _ in range(runs):
                if os.path.exists(out):
                    os.remove(out)
                wall, cpu = timed(argv)
                walls.append(wall)
                cpus.append(cpu)
            rows.append({"what": what, "hash": digest, "size": size, "wall": walls, "cpu": cpus})
            print(what, [round(w, 2) for w in walls], flush=True)
        return rows
