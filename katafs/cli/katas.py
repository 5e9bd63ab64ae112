"""How a command is told of katas and avatars, and where it looks for them: in a store, or below a mount."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import click
from click.core import ParameterSource

from katafs.cli.given_path import GivenPath
from katafs.cli.setting_options import store_options
from katafs.cli.stores import open_store
from katafs.kata_id import AvatarName, KataId, avatar_name, kata_id
from katafs.storers.reading import Reader
from katafs.volumes.store import VolumeStore
from katafs.volumes.tree_layout import layout_of
from katafs.volumes.tree_store import TreeStore

Result = TypeVar("Result")

_OF_STORES = ("volumes", "prefix", "config")
"""The options that choose a store."""


def kata(text: str) -> KataId:
    """The type of an argument that is the id of a kata. Raises click.BadParameter."""
    found = kata_id(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not the id of a kata (10 characters of 0-9 A-F)")
    return found


def avatar(text: str) -> AvatarName:
    """The type of an argument that is the name of an avatar. Raises click.BadParameter."""
    found = avatar_name(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not the name of an avatar")
    return found


def source_options(command: Callable[..., Result]) -> Callable[..., Result]:
    """The options that say where the katas are; `opened` takes them."""
    mount = click.option(
        "--mount", metavar="M", type=GivenPath(), help="Read the tree that is mounted on M, instead of a store."
    )
    return mount(store_options(command))


@contextlib.contextmanager
def opened(mount: str | None, volumes: str | None, prefix: str) -> Iterator[Reader]:
    """A reader of the katas that the options name. Raises StoreUnreachable, click.UsageError."""
    with opened_store(mount, volumes, prefix) as store:
        yield Reader(store)


@contextlib.contextmanager
def opened_store(mount: str | None, volumes: str | None, prefix: str) -> Iterator[VolumeStore]:
    """The store of the katas that the options name. Raises StoreUnreachable, click.UsageError."""
    if mount is not None and any(map(_is_flag, _OF_STORES)):
        raise click.UsageError("--mount: is instead of --volumes, --prefix and --config")
    with contextlib.closing(_store(mount, volumes, prefix)) as store:
        yield store


def _is_flag(name: str) -> bool:
    """Whether the command line has the option, which wins over a variable as well."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _store(mount: str | None, volumes: str | None, prefix: str) -> VolumeStore:
    if mount is None:
        return open_store(volumes, prefix)
    return TreeStore(Path(mount), layout_of(Path(mount)))
