"""The faults: what went wrong outside a program's own mistake or the file system's ordinary answers.

An ordinary answer (no such file, not empty) is an OSError with the errno that POSIX names, and is not in this file.
What a fault becomes is decided at the edges: an errno by `katafs.mount.answers`, an exit code by `katafs.cli`.
"""


class KatafsError(Exception):
    """Any fault. Its text is one line that an operator can act on."""


class StoreUnreachable(KatafsError):
    """The store of volumes does not answer: an engine that is down or too old, a directory that is gone."""


class VolumeRefused(KatafsError):
    """A volume exists, but its data is not on this host, so showing a directory for it would show an empty one."""


class BadSetting(KatafsError):
    """A configuration file can't be read, or what it or the environment says isn't a setting."""


class MountPointUnusable(KatafsError):
    """The mount point does not exist, is no directory, is not empty, is mounted already, or is busy."""


class ConversionRefused(KatafsError):
    """A kata can't be converted as it is, and stays on the disk as it was."""


class PieceBusy(KatafsError):
    """Something has a file open for writing in what was to be converted, which stays as it was."""


class PieceChanged(KatafsError):
    """What was to be converted changed meanwhile, and stays as it was."""


class LeftBehind(KatafsError):
    """What was to be converted is, and something of it is on the old disk still: the text says where, and why."""


class WrittenLate(LeftBehind):
    """Something wrote past the mount in the moment of a commit. What it wrote is kept."""


class ExportFailed(KatafsError):
    """A kata could not be taken out of its volumes: something is where it would go, it holds what can't be taken out,
    it changed meanwhile, or the disk is full. What was there before is there still, and nothing else."""


class OwnersNotKept(ExportFailed):
    """A kata has files of others than the user who exports it, whose owners only root can keep."""


class NoThread(KatafsError, RuntimeError):
    """There are as many threads in the system as there may be, or there is no memory for another one. RuntimeError is
    what Python has for it."""


class StorerError(KatafsError):
    """What was asked of a storer can't be done, or what it found isn't what a kata looks like.

    Whatever was stored before the call that raises one of these is stored still."""


class BadId(StorerError):
    """Not a kata's id: 10 characters of 0-9 A-F, upper case."""


class BadManifest(StorerError):
    """A new kata's manifest lacks its id or its visible files, or has them of the wrong kind."""


class BadAvatar(StorerError):
    """Not the name of one of the avatars."""


class BadFileName(StorerError):
    """Not the name of a file in a sandbox: empty, a path, with a NUL, longer than 255 bytes, or git's own."""


class BadContent(StorerError):
    """A file's content that can't be written as text in UTF-8, or is not given at all."""


class BadTestRun(StorerError):
    """A test run without a colour, or whose time isn't six whole numbers, or whose output isn't text."""


class KataExists(StorerError):
    """A kata with this id is stored already."""


class KataNotFound(StorerError):
    """No kata with this id is stored."""


class KataInUse(StorerError):
    """A container uses the kata's volume or an avatar's, so it can't be deleted."""


class AvatarNotFound(StorerError):
    """The avatar wasn't started in this kata."""


class AvatarBusy(StorerError):
    """Somebody else has held the avatar's lock for too long: a test run that is being stored, or a container."""


class TagNotFound(StorerError):
    """The avatar has no tag of this number."""


class IncrementsMissing(StorerError):
    """The avatar was started, and its increments.json isn't there; its tags may be."""


class CorruptKata(StorerError):
    """What is stored can't be read as part of a kata: broken JSON, bytes that aren't UTF-8, a link for a file."""


class TooLarge(StorerError):
    """A stored file is larger than is ever read at once."""


class StoreFull(StorerError):
    """The disk or a quota is full. What was being written is not there; what was there before is."""


class ReadOnlyStore(StorerError):
    """What was to be written is read-only: a tree mounted so, or the tags that a tree shows of an avatar with git."""


class GitFailed(StorerError):
    """The git program refused or broke off; its own words are in the text."""
