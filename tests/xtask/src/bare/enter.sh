# Runs a command in a Debian root as if it were the machine's own. To be started in namespaces of its own for mounts and
# processes: what is mounted here is gone with them.
#   $1 the root   $2 the Rust toolchain   the rest: the command
set -eu
root=$1 rust=$2
shift 2

# A root that is no mount point cannot be moved to, and a plain chroot could boot no containers.
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir -p "$root/opt/rust" "$root/old"
mount --bind "$rust" "$root/opt/rust"
mount -o remount,bind,ro "$root/opt/rust"

cd "$root"
pivot_root . old
# Not by exec: the first process of the namespace has to wait for those who lost their parents.
chroot . /bin/sh -c 'umount --lazy /old && rmdir /old && cd /build && "$@"; exit $?' sh "$@"
exit $?
