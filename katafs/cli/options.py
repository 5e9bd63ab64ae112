"""The `-o` options of mount(8): katafs' own, and those that fstab lines carry for others."""

from collections.abc import Iterable

import click

from katafs.settings.kinds import Kind, Unfit
from katafs.settings.settings import KNOWN
from katafs.settings.sources import Given, hint

_IGNORED = frozenset(
    "rw auto noauto nofail _netdev defaults async nouser user users dev nodev suid nosuid exec relatime noatime "
    "nodiratime".split()
)
"""Times of access are kept as the volumes' own file system keeps them. mount(8) says rw of its own accord, so that
isn't a wish; and it adds noexec to user and users itself."""
_IGNORED_PREFIXES = ("x-", "X-", "comment=")
_FLAGS = {
    "nonempty": ("nonempty", True),
    "noxattr": ("xattrs", False),
    "ro": ("read_only", True),
    "noexec": ("noexec", True),
    "allow_other": ("allow_other", True),
    "noallow_other": ("allow_other", False),
    "noawake": ("awake", False),
    "debug": ("debug", True),
}
"""The setting that each is, and its value."""
_WITH_VALUE = ("timeout", "negative_timeout", "inodes", "open_directories", "metrics")
"""Settings that have the same name here."""

HELP = (
    "Comma-separated: timeout=SECONDS (how long the kernel may keep names and attributes; 1), negative_timeout=SECONDS "
    f"(the same of names that aren't there, inside katas; 0), inodes=N (the most of them remembered; "
    f"{KNOWN['inodes'].default}), open_directories=N (the most kept open; {KNOWN['open_directories'].default}), "
    "nonempty (mount over what is there), noxattr (no extended attributes), ro, noexec, allow_other and noallow_other "
    "(root allows), noawake (let idle processors sleep also while many requests come), debug, metrics=PORT (for "
    "Prometheus, on 127.0.0.1). nofail, _netdev, x-* and the like are ignored."
)


def parse(texts: tuple[str, ...], beside: Iterable[str] = ()) -> dict[str, Given]:
    """The settings that all `-o` together give. `beside` are the options that there are besides, one of which may have
    been meant. Raises click.UsageError for an option that isn't known, or that lacks its value."""
    given = {}
    for option in (option for text in texts for option in text.split(",") if option):
        name, separator, value = option.partition("=")
        if option in _IGNORED or option.startswith(_IGNORED_PREFIXES):
            continue
        if option in _FLAGS:
            setting, wanted = _FLAGS[option]
            given[setting] = Given(wanted, f"flag -o {option}")
        elif name in _WITH_VALUE and separator:
            given[name] = Given(read(KNOWN[name].kind, value, click.UsageError, f"-o {option}:"), f"flag -o {name}")
        elif option in _WITH_VALUE:
            raise without_value(option, KNOWN[option].kind.metavar)
        elif option == "remount":
            raise click.UsageError("-o remount: katafs can't be remounted: unmount it, and mount it again")
        else:
            near = hint(name, (*_FLAGS, *_WITH_VALUE, *beside))
            raise click.UsageError(f"-o {option}: is not an option of katafs{near}")
    return given


def without_value(name: str, metavar: str) -> click.UsageError:
    """The refusal of an option that stands there without its value."""
    return click.UsageError(f"-o {name}: wants a value: {name}={metavar}")


def read(kind: Kind, text: str, refusal: type[click.UsageError], said: str) -> object:
    """The value of a text on the command line. Raises the refusal, whose text is what is said and what is wrong."""
    try:
        value: object = kind.of_text(text)
    except Unfit as unfit:
        raise refusal(f"{said} {unfit}") from None
    return value
