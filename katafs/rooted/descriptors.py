"""What /proc says of a descriptor of this process, which may be an O_PATH one (proc_pid_fd(5), proc_pid_fdinfo(5))."""


def path(descriptor: int) -> str:
    """The inode behind it as a path that leads to it and nowhere else, even where it is a symbolic link."""
    return f"/proc/self/fd/{descriptor}"


def mount_number(descriptor: int) -> int:
    """The number of the mount through which it was opened."""
    with open(f"/proc/self/fdinfo/{descriptor}", "rb") as info:
        return next(int(line.split()[1]) for line in info if line.startswith(b"mnt_id:"))
