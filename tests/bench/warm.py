"""Memory that the host has really assigned. The host of a virtual machine takes idle memory back, and the first write to
such a page costs several times as much as copying into it. Writing to a file system in memory would then measure the
host. So as much memory as a case will fill is written before, held, and freed just before the case needs it."""
import os, shutil, net

LEAD = 256 << 20   # bytes that are freed before they are needed
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
        """Frees as many bytes as were written since."""
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
