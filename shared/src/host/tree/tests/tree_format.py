"""Makes the tar of a directory, from docs/tree-format.md alone: tree_format.py DIRECTORY [--no-times] > DIRECTORY.tar"""

import hashlib
import os
import stat
import sys

top, times = sys.argv[1], "--no-times" not in sys.argv


def escaped(path):
    plain = set(range(0x21, 0x7F)) - set(b"\\#=")
    return "".join(chr(byte) if byte in plain else "\\%03o" % byte for byte in path.encode())


def paths(path, directory):
    yield path if directory is None else path + "/"
    if directory is None:
        return
    for entry in os.scandir(directory):
        below = None
        if entry.is_dir(follow_symlinks=False):
            below = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=directory)
        yield from paths(path + "/" + entry.name, below)
    os.close(directory)


def sectors(content):
    return content + bytes(-len(content) % 512)


def octal(number, digits):
    return b"%0*o\0" % (digits, number)


def header(name, kind, mode, size, time=0, target=b"", prefix=b""):
    block = name[:100].ljust(100, b"\0") + octal(mode, 7) + octal(0, 7) + octal(0, 7)
    block += octal(size, 11) + octal(time, 11) + b" " * 8 + kind + target[:100].ljust(100, b"\0")
    block += b"ustar\0" + b"00" + bytes(64) + octal(0, 7) + octal(0, 7) + prefix.ljust(155, b"\0") + bytes(12)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def record(key, value):
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while len(b"%d" % length + rest) != length:
        length += 1
    return b"%d" % length + rest


def split(path):
    """The prefix and the name of a path, or nothing if it does not fit."""
    if len(path) <= 100:
        return b"", path
    slash = path[:-1][:156].rfind(b"/")
    if slash >= 0 and len(path) - slash - 1 <= 100:
        return path[:slash], path[slash + 1:]
    return None


def member(number, path, info, target, content):
    kind, mode, time = b"0", stat.S_IMODE(info.st_mode) & 0o777, info.st_mtime_ns // 10**9 if times else 0
    if stat.S_ISDIR(info.st_mode):
        kind, path = b"5", path + "/"
    elif stat.S_ISLNK(info.st_mode):
        kind, mode = b"2", 0o777
    path, target, pax = path.encode(), target.encode(), b""
    if not target.isascii() or len(target) > 100:
        pax += record(b"linkpath", target)
    if not 0 <= time < 8**11:
        pax, time = pax + record(b"mtime", b"%d" % time), 0
    if not path.isascii() or not split(path):
        pax += record(b"path", path)
    size = len(content)
    if size >= 8**11:
        pax, size = pax + record(b"size", b"%d" % size), 0
    prefix, name = split(path) or (b"", path)
    blocks = header(b"PaxHeaders/%d" % number, b"x", 0o644, len(pax)) + sectors(pax) if pax else b""
    return blocks + header(name, kind, mode, size, time, target, prefix) + sectors(content)


def at(path, call):
    """Calls with a descriptor of the directory that a path is in: it may be too long for one call."""
    directory = os.open(".", os.O_RDONLY)
    *parents, name = path.split("/")
    for parent in parents:
        below = os.open(parent, os.O_RDONLY | os.O_DIRECTORY, dir_fd=directory)
        os.close(directory)
        directory = below
    try:
        return call(name, directory)
    finally:
        os.close(directory)


def read(name, directory):
    with open(os.open(name, os.O_RDONLY, dir_fd=directory), "rb") as file:
        return file.read()


listing, members, sums = "#mtree\n# tinytorrent-tree 1\n. type=dir\n", b"", b""
found = sorted(paths(top, os.open(top, os.O_RDONLY)), key=lambda path: path.encode())
for number, path in enumerate(path.rstrip("/") for path in found):
    info = at(path, lambda name, directory: os.stat(name, dir_fd=directory, follow_symlinks=False))
    content, target, last = b"", "", ""
    if stat.S_ISREG(info.st_mode):
        kind, content = "file", at(path, read)
        last = " size=%d" % len(content)
        line = hashlib.sha256(content).hexdigest() + "  " + path.replace("\\", "\\\\") + "\n"
        sums += ("\\" * ("\\" in path) + line).encode()
    elif stat.S_ISLNK(info.st_mode):
        kind, target = "link", at(path, lambda name, directory: os.readlink(name, dir_fd=directory))
        last = " link=" + escaped(target)
    else:
        kind = "dir"
    mode = 0o777 if kind == "link" else info.st_mode & 0o777
    time = " time=%d.0" % (info.st_mtime_ns // 10**9) if times else ""
    listing += "./%s type=%s mode=%03o%s%s\n" % (escaped(path), kind, mode, time, last)
    members += member(number, path, info, target, content)
listing = listing.encode()
tar = header(b".MTREE", b"0", 0o644, len(listing)) + sectors(listing) + members
tar += header(b".SHA256SUMS", b"0", 0o644, len(sums)) + sectors(sums) + bytes(1024)
sys.stdout.buffer.write(tar)
