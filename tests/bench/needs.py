"""Checks whether this machine has what the harness needs, and describes the machine."""
import os, platform, shutil, sys
import cgroup

PYTHON = (3, 11)
PROGRAMS = {"ip": "iproute2", "tc": "iproute2", "ss": "iproute2", "sysctl": "procps", "iperf3": "iperf3"}
MIB = 1 << 20


def check():
    """None, or one line that says what is missing and what to do."""
    if sys.version_info < PYTHON:
        return f"Python {PYTHON[0]}.{PYTHON[1]} or newer is needed, this is {platform.python_version()}"
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing:
        packages = " ".join(sorted({PROGRAMS[program] for program in missing}))
        return f"{', '.join(missing)} not found; on Debian: apt-get install {packages}"
    if os.geteuid() != 0:
        return "it makes network namespaces and must be root: try it with sudo"
    try:
        writable = os.access(cgroup.root(), os.W_OK)
    except RuntimeError as error:
        return str(error)
    return None if writable else f"control groups cannot be made in {cgroup.root()}: is this a container?"


def machine():
    def field(path, key):
        with open(path) as f:
            return next((line.split(":", 1)[1].strip() for line in f if line.startswith(key)), "?")
    return {"cpu": field("/proc/cpuinfo", "model name"), "cores": os.cpu_count(),
            "memory_gib": round(int(field("/proc/meminfo", "MemTotal").split()[0]) / MIB, 1),
            "kernel": platform.release()}
