"""Memory that is really there. A virtual machine's host takes back what lies idle, and the first touch of each page
that it has to find again costs several times what the copy into it does: on such a machine whatever is written to
a file system in memory measures the host. So as much memory as a case will fill is touched before, held, and let go
just ahead of what is written."""
import os, shutil, net

LEAD = 256 << 20   # so much is free ahead of what is written
BLOCK = 4 << 20


class Reserve:
    """A file in the work directory that shrinks as the others there grow."""

    def __init__(self, workdir, size):
        self.workdir = workdir
        self.path = os.path.join(workdir, f"{net.PREFIX}{os.getpid()}-reserve")
        self.size = self.held = max(0, size - LEAD)
        self.file = open(self.path, "wb", buffering=0)
        block = bytes(BLOCK)
        for at in range(0, self.held, BLOCK):
            self.file.write(block[:self.held - at])
        self.before = self._others()

    def _others(self):
        return shutil.disk_usage(self.workdir).used - self.held

    def follow(self):
        """Lets go of as much as was written since."""
        keep = max(0, self.size - (self._others() - self.before))
        if keep < self.held:
            self.held = keep
            self.file.truncate(keep)

    def close(self):
        self.file.close()
        os.unlink(self.path)


def is_in_memory(path):
    """Whether a path lies on a tmpfs."""
    mounts = [line.split()[1:3] for line in open("/proc/mounts")]
    best = max((m for m in mounts if os.path.realpath(path).startswith(m[0])), key=lambda m: len(m[0]))
    return best[1] == "tmpfs"
