"""What `katafs convert` says of the room that copies take where the volumes are."""

import click

from katafs.cli import faults
from katafs.converter.room import Home, Room
from katafs.errors import KatafsError


def told(taken: Room, home: Home | None) -> bool:
    """Say what copies would take, and what there is. False where that isn't enough."""
    if not taken.inodes:
        return True
    takes = f"copies take {_amount(taken)}; "
    if home is None:
        click.echo(f"{takes}where to is known once there is a volume")
        return True
    if home.free.holds(taken):
        click.echo(f"{takes}{_free(home)}")
        return True
    faults.complain(f"{takes}{_free(home)}: that is not enough")
    return False


def no_room(home: Home | None) -> KatafsError:
    """What is wrong where a run was broken off for want of room."""
    free = "" if home is None else f"; {_free(home)}"
    return KatafsError(f"there is no room left: make some, and the next run goes on{free}")


def _free(home: Home) -> str:
    return f"where the volumes are {_amount(home.free)} are free"


def _amount(room: Room) -> str:
    inodes = "" if room.inodes is None else f" and {room.inodes} inodes"
    return f"{room.size_bytes / 1e6:.1f} MB{inodes}"
