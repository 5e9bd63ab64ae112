"""All traffic-lights of an avatar in one go, from its current increments.json: one file, and no object of git's.

Must not know how lights are shown.
"""

from katafs.storers import untrusted_files as files
from katafs.storers.git_tags_increments import LIMIT_BYTES, Light, light_of, lights


def avatar_lights(avatar: int, numbers: list[int]) -> list[Light]:
    """One light per tag, in the order of `numbers` (as GitTags.numbers gives them), colour and time None where
    increments.json doesn't say. What it says of tags that aren't there, as of a test run half written, isn't shown.

    `avatar` is a descriptor of the avatar's directory. Raises CorruptKata where increments.json is broken, OSError
    (EFBIG) above 1 MiB; where there is none, every light is without colour."""
    try:
        found = lights(files.read_file(avatar, b"increments.json", LIMIT_BYTES))
    except FileNotFoundError:
        found = {}
    return [light_of(found, number) for number in numbers]
