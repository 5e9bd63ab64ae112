"""`katafs mount`."""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from katafs import observe
from katafs.cli import exit_codes, options
from katafs.cli.completion import directories
from katafs.cli.descriptors import raised_limit
from katafs.cli.stores import opened_stores, store_options
from katafs.config import Convert, MountSettings, Sandboxes, Tags, TreeSettings
from katafs.namespace import Layout
from katafs.tree.legacy import Mover
from katafs.volumes.store import VolumeStore

_log = logging.getLogger("katafs")

_READY = b"ready"
_DEFAULT_TAGS = {Layout.FLAT: Tags.LISTED, Layout.SPLIT: Tags.UNLISTED}

_EXAMPLES = """\b
Examples:
  katafs mount /katas
  katafs mount /katas --volumes dir:/srv/katas --layout split --daemon
  katafs mount /katas --volumes docker --sandboxes avatar -o timeout=0.5,nofail
  katafs mount /katas --layout split --legacy /srv/old-katas"""


@click.command(epilog=f"{_EXAMPLES}\n\n{exit_codes.TABLE}")
@click.argument("mount_point", metavar="MOUNTPOINT", shell_complete=directories)
@store_options
@click.option("--layout", type=click.Choice([each.value for each in Layout]), default="flat", show_default=True,
              help="Katas as MOUNTPOINT/123456789A, or as MOUNTPOINT/12/3456789A.")  # fmt: skip
@click.option("--sandboxes", type=click.Choice([each.value for each in Sandboxes]), default="kata", show_default=True,
              help="A new avatar's sandbox in the kata's volume, or in a volume of its own.")  # fmt: skip
@click.option("--tags", type=click.Choice([each.value for each in Tags]),
              help="AVATAR/tags/N.json, read from the avatar's git: listed, found only when named, or not there."
              " Default: listed in the flat layout, unlisted in the split one.")  # fmt: skip
@click.option("--legacy", metavar="DIR", type=click.Path(path_type=Path),
              help="Serve the katas of an old disk too, DIR/12/3456789A, until they are converted.")  # fmt: skip
@click.option("--convert", type=click.Choice([each.value for each in Convert]), default="on-write", show_default=True,
              help="When a kata on the old disk becomes a volume. With never it can't be changed.")  # fmt: skip
@click.option("--read-only", is_flag=True, help="Change nothing.")
@click.option("--daemon", is_flag=True, help="Return when the mount answers; log to syslog from then on.")
@click.option("-o", "mount_options", multiple=True, metavar="OPTS", help=options.HELP)
def mount(
    mount_point: str,
    volumes: str | None,
    prefix: str,
    layout: str,
    sandboxes: str,
    tags: str | None,
    legacy: Path | None,
    convert: str,
    read_only: bool,
    daemon: bool,
    mount_options: tuple[str, ...],
) -> None:
    """Mount katas on MOUNTPOINT, and serve them until SIGTERM, SIGINT or an unmount."""
    wanted = options.parse(mount_options)
    tree_settings = TreeSettings(
        layout=Layout(layout),
        sandboxes=Sandboxes(sandboxes),
        tags=Tags(tags or _DEFAULT_TAGS[Layout(layout)]),
        convert=Convert.NEVER if read_only or wanted.read_only else Convert(convert),
        read_only=read_only or wanted.read_only,
        timeout_s=wanted.timeout_s,
        negative_timeout_s=wanted.negative_timeout_s,
        xattrs=wanted.xattrs,
        # The other half of the descriptors is for the files that programs open.
        open_directories=min(wanted.open_directories, raised_limit() // 2),
        inodes=wanted.inodes,
    )
    observe.log_to_stderr(debug=wanted.debug)
    mount_point = os.path.abspath(mount_point)
    detach = _daemonize() if daemon else _nothing_to_detach
    with opened_stores(volumes, prefix, legacy) as (store, mover):
        _serve(mount_point, store, mover, wanted, tree_settings, detach)


def _serve(
    mount_point: str,
    store: VolumeStore,
    mover: Mover | None,
    wanted: options.MountOptions,
    tree_settings: TreeSettings,
    detach: Callable[[], None],
) -> None:
    # Imported where a mount is served: the other commands start in half the time without the event loop.
    from katafs.mount import mount_point as mount_points
    from katafs.mount import session
    from katafs.storers.git_tags import GitTags
    from katafs.tree.tree import Tree

    absolute = mount_points.prepare(mount_point, nonempty=wanted.nonempty)
    tree = Tree(store, tree_settings, GitTags(), mover)

    def ready() -> None:
        _log.info("%s: mounted, %s layout", absolute, tree_settings.layout.value)
        observe.notify("READY=1")
        detach()

    settings = MountSettings(
        source=store.url.replace(",", "_"),
        read_only=tree_settings.read_only,
        allow_other=os.geteuid() == 0 if wanted.allow_other is None else wanted.allow_other,
    )
    try:
        session.serve(tree, absolute, settings, ready)
    finally:
        observe.notify("STOPPING=1")


def _nothing_to_detach() -> None:
    return


def _daemonize() -> Callable[[], None]:
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
    os.close(reader)
    os.setsid()

    def detach() -> None:
        os.chdir("/")  # not to keep busy what the caller worked in
        observe.log_to_syslog()
        os.write(writer, _READY)
        os.close(writer)

    return detach
