"""`katafs mount`."""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import TypeAlias

import click

from katafs.cli import exit_codes
from katafs.cli.given_path import GivenPath
from katafs.cli.process import make_room_for_descriptors, obey_quotas, raised_limit, share_one_heap
from katafs.cli.setting_options import mount_settings
from katafs.cli.stores import opened_stores
from katafs.config import Convert, MountSettings, TreeSettings
from katafs.doctor import mount_answers
from katafs.errors import KatafsError
from katafs.observe import logs, stacks, systemd
from katafs.settings.settings import Settings
from katafs.settings.sources import Found
from katafs.tree.legacy import Mover
from katafs.volumes.store import VolumeStore

_log = logging.getLogger("katafs")

_READY = b"ready"
_STANDARD_ERROR = 2

Detach: TypeAlias = Callable[[], contextlib.AbstractContextManager[None]]
"""What lets go of the terminal, for a block that is the rest of the daemon's life."""

_SHARES = 2
"""Of the descriptors: one for directories, and one for the files that programs open."""

_EXAMPLES = """\b
Examples:
  katafs mount /katas
  katafs mount /katas --volumes dir:/srv/katas --layout split --daemon
  katafs mount /katas --volumes docker --sandboxes avatar -o timeout=0.5,nofail
  katafs mount /katas --layout split --legacy /srv/old-katas
  katafs mount --config /etc/katafs/katas.toml"""


@click.command(epilog=f"{_EXAMPLES}\n\n{exit_codes.TABLE}")
@click.argument("mount_point", metavar="[MOUNTPOINT]", required=False, type=GivenPath(file_okay=False))
@mount_settings
@click.option("--daemon", is_flag=True, help="Return when the mount answers; log to syslog from then on.")
def mount(mount_point: str | None, settings: Found, daemon: bool) -> None:
    """Mount katas on MOUNTPOINT, and serve them until SIGTERM, SIGINT, an unmount, or the terminal's end (SIGHUP)."""
    wished = settings.settings
    wanted = mount_point or wished.mountpoint
    if not wanted:
        raise click.UsageError("MOUNTPOINT: where to? There is no setting mountpoint either")
    logs.log_to_stderr(logging.DEBUG if wished.debug else logging.INFO)
    path = os.path.abspath(wanted)
    mount_answers.answered(mount_answers.resolved(path))  # or it is refused: all else would wait for it, too
    detach = _daemonize() if daemon else contextlib.nullcontext
    if daemon or systemd.is_listening():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # there is no terminal whose end it could tell of
    obey_quotas()
    share_one_heap()
    make_room_for_descriptors(_SHARES * wished.open_directories)
    stacks.log_on_signal()
    with opened_stores(wished.volumes, wished.prefix, wished.legacy) as (store, mover):
        _serve(path, store, mover, wished, detach)


def _serve(mount_point: str, store: VolumeStore, mover: Mover | None, settings: Settings, detach: Detach) -> None:
    # Imported where a mount is served: the other commands start in half the time without all that serves it.
    from katafs.mount import mount_point as mount_points
    from katafs.mount import session
    from katafs.storers.git_tags import GitTags
    from katafs.tree.tree import Tree

    absolute = mount_points.prepare(mount_point, sorted(store.directories()), nonempty=settings.nonempty)
    tree = Tree(store, _of_tree(settings), GitTags(), mover)

    with contextlib.ExitStack() as ending:
        ending.callback(systemd.notify, "STOPPING=1")

        def ready() -> None:
            said = {"path": absolute, "layout": settings.layout.value, "read_only": settings.read_only}
            _log.info("mounted", extra=said)
            systemd.notify("READY=1")
            ending.enter_context(detach())

        session.serve(tree, absolute, _of_mount(settings, store), ready)


def _of_tree(settings: Settings) -> TreeSettings:
    return TreeSettings(
        layout=settings.layout,
        sandboxes=settings.sandboxes,
        tags=settings.tags_shown,
        convert=Convert.NEVER if settings.read_only else settings.convert,
        read_only=settings.read_only,
        timeout_s=settings.timeout,
        negative_timeout_s=settings.negative_timeout,
        xattrs=settings.xattrs,
        open_directories=min(settings.open_directories, raised_limit() // _SHARES),
        inodes=settings.inodes,
    )


def _of_mount(settings: Settings, store: VolumeStore) -> MountSettings:
    return MountSettings(
        source=settings.volumes or store.url,
        read_only=settings.read_only,
        noexec=settings.noexec,
        allow_other=os.geteuid() == 0 if settings.allow_other is None else settings.allow_other,
        metrics=settings.metrics,
        awake=settings.awake,
        options=settings.plain(),
    )


def _daemonize() -> Detach:
    """Go on in a child, before any thread exists; the parent returns when the child calls what is returned here, or
    ends with the child's exit code, whose error is on stderr by then."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        said = os.read(reader, len(_READY))
        if said == _READY:
            sys.exit(exit_codes.ExitCode.DONE)
        _, status = os.waitpid(child, 0)
        sys.exit(os.waitstatus_to_exitcode(status) or exit_codes.ExitCode.FAILED)
    _close_what_the_caller_has_open(but=writer)

    def detach() -> contextlib.AbstractContextManager[None]:
        os.setsid()  # not before: autofs knows by its process group whom it must let pass to mount, and has others wait
        os.chdir("/")  # not to keep busy what the caller worked in
        logs.log_to_syslog()
        os.write(writer, _READY)
        os.close(writer)
        return _fault_logged()

    return detach


@contextlib.contextmanager
def _fault_logged() -> Iterator[None]:
    """Log a fault that comes out of the block: what a daemon says at its end on stderr, nobody sees."""
    try:
        yield
    except (KatafsError, OSError) as fault:
        _log.critical("ended by a fault", extra={"error": str(fault)})
        raise


def _close_what_the_caller_has_open(but: int) -> None:
    """A lock or a pipe of the caller's would else be held for as long as the mount is there."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > _STANDARD_ERROR and descriptor != but:
            with contextlib.suppress(OSError):  # that of the listing itself
                os.close(descriptor)
