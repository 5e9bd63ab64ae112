"""One avatar kept with git, as the servers' code of 2016 keeps it: the files, the index, the commits and the tags.

Each method leaves what the server's commands for one step leave (`git add`, `git commit -a`, `git tag`), and does what
those lack: a step that fails leaves what was there before.
"""

import contextlib
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence

from katafs.errors import CorruptKata, IncrementsMissing, KatafsError, TagNotFound
from katafs.kata_id import AvatarName, KataId
from katafs.namespace import GIT_NAME, SANDBOX_NAME
from katafs.rooted import files, names
from katafs.storers.avatars import change_files
from katafs.storers.git_index import GitIndex
from katafs.storers.git_objects import write_object
from katafs.storers.git_program import GitProgram, author_of
from katafs.storers.increments import INCREMENTS, next_number, read_increments, write_increments
from katafs.storers.json_files import LIMIT_BYTES, checked_texts, decoded, encoded
from katafs.storers.storer import OUTPUT, Increment
from katafs.untrusted.files import directory, open_file
from katafs.untrusted.refs import tag_numbers

_log = logging.getLogger(__name__)

_MANIFEST = b"manifest.json"
_SANDBOX = SANDBOX_NAME + b"/"
_RUNS_A_GC = 20
"""So often git is asked whether the repository needs it: it does after some 800 runs."""


class GitAvatar:
    """An avatar's directory, by a descriptor that has to stay open."""

    def __init__(self, directory: int, kata: KataId, avatar: AvatarName) -> None:
        self._directory = directory
        self._whose = f"avatar {avatar} of kata {kata}"
        self._author = author_of(kata, avatar)
        self._git = GitProgram(directory, self._author)
        self._index = GitIndex(directory, self._git)

    def start(self, visible_files: Mapping[str, str]) -> None:
        """Make the repository, with these files in the sandbox that is there already, and tag 0."""
        self._git.create_repository()
        self._sync_repository()
        self._write({file.encode(): content.encode() for file, content in visible_files.items()})
        self._write_state(dict(visible_files), [])
        self._commit(0, visible_files, None)

    def save(self, deleted: Sequence[bytes], written: Mapping[bytes, bytes]) -> None:
        """Write and remove files of the sandbox, and tell git of them: of the changed ones as well, which the servers
        leave to `commit -a`, since git has forgotten one that a test run removed."""
        self._write(written, deleted)
        self._index.take(*(_SANDBOX + name for name in (*written, *deleted)))

    def _write(self, written: Mapping[bytes, bytes], deleted: Sequence[bytes] = ()) -> None:
        if not files.is_directory(self._directory, SANDBOX_NAME):
            raise CorruptKata(f"{self._whose} has no sandbox")
        with files.opened_directory(self._directory, SANDBOX_NAME) as sandbox:
            change_files(sandbox, written, deleted)

    def ran_tests(self, shown: Mapping[str, str], colour: str, at: list[int]) -> list[Increment]:
        """Commit and tag a test run; the tag comes last, and makes it exist."""
        numbers = self.numbers()
        increments = self._increments(numbers)
        number = next_number(increments)
        if number in numbers:
            raise CorruptKata(f"tag {number} of {self._whose} already exists, and increments.json doesn't know it")
        increments.append({"colour": colour, "time": at, "number": number})
        with self._undone_on_failure(number) as head:
            self._write({OUTPUT.encode(): shown[OUTPUT].encode()})
            self._write_state(dict(shown), increments)
            self._commit(number, shown, head)
        if number % _RUNS_A_GC == 0:
            self._pack()
        return increments

    def _pack(self) -> None:
        """Where git can't, as where an old object is damaged, the run is stored all the same."""
        try:
            self._git.run("gc", "--auto", "--quiet")
        except (OSError, KatafsError) as problem:
            _log.warning("a repository is not packed", extra={"avatar": self._whose, "error": str(problem)})

    def _sync_repository(self) -> None:
        """git syncs objects and references (core.fsync), and not what makes a directory a repository: without that, and
        with a tag 0, the avatar would be started, and never have a run."""
        with directory(self._directory, GIT_NAME) as git:
            for name in (b"HEAD", b"config"):
                file = open_file(git, name)
                try:
                    os.fsync(file)
                finally:
                    os.close(file)
            files.sync_directory(git)

    def _write_state(self, shown: dict[str, str], increments: list[Increment]) -> None:
        files.replace(self._directory, _MANIFEST, encoded(shown, f"the visible files of {self._whose}"), durable=True)
        write_increments(self._directory, increments)

    def _commit(self, number: int, shown: Mapping[str, str], head: str | None) -> None:
        """Also where nothing changed: a kill before the tag leaves a commit, and the same run may be stored again.

        Of the visible files also those that git has forgotten, since a run had put something else in their place."""
        self._index.take_all(_MANIFEST, INCREMENTS, *(_SANDBOX + name.encode() for name in shown))
        tree = self._git.run("write-tree").decode().strip()
        who = self._signature()
        parent, kind = (f"parent {head}\n", "commit") if head else ("", "commit (initial)")
        commit = self._stored(b"commit", f"tree {tree}\n{parent}author {who}\ncommitter {who}\n\n{number}\n")
        self._git.run("update-ref", "-m", f"{kind}: {number}", "HEAD", commit)
        tag = self._stored(b"tag", f"object {commit}\ntype commit\ntag {number}\ntagger {who}\n\n{number}\n")
        with self._tags() as tags:
            files.create(tags, b"%d" % number, f"{tag}\n".encode())

    def _stored(self, kind: bytes, content: str) -> str:
        return write_object(self._directory, kind, content.encode()).decode()

    def _signature(self) -> str:
        name, address = self._author
        now_s = time.time()
        return f"{name} <{address}> {int(now_s)} {time.strftime('%z', time.localtime(now_s))}"

    @contextlib.contextmanager
    def _tags(self) -> Iterator[int]:
        with directory(self._directory, GIT_NAME, b"refs") as refs:
            with contextlib.suppress(FileExistsError):  # a copy without empty directories lacks it
                names.make_directory(refs, b"tags", 0o777)
            with directory(refs, b"tags") as tags:
                yield tags

    @contextlib.contextmanager
    def _undone_on_failure(self, tag: int) -> Iterator[str]:
        """The newest commit, for a block in which another comes, and this tag."""
        before = {}
        for name in (_MANIFEST, INCREMENTS):
            with contextlib.suppress(FileNotFoundError):  # the run writes it anew
                before[name] = files.read(self._directory, name, LIMIT_BYTES)
        head = self._git.run("rev-parse", "HEAD").decode().strip()
        try:
            yield head
        except BaseException:
            self._undo(before, head, tag)
            raise

    def _undo(self, before: Mapping[bytes, bytes], head: str, tag: int) -> None:
        """Where that fails as well, the first failure says more. The tag goes first: one that increments.json doesn't
        know would be in the way of every later run."""
        try:
            with contextlib.suppress(FileNotFoundError), self._tags() as tags:
                names.remove(tags, b"%d" % tag)
            for name, content in before.items():
                files.replace(self._directory, name, content, durable=True)
            self._git.run("update-ref", "-m", "undone", "HEAD", head)
        except (OSError, KatafsError) as problem:
            _log.warning("a test run is not undone", extra={"avatar": self._whose, "error": str(problem)})

    def increments(self) -> list[Increment]:
        """The traffic-lights, without that of a test run that was begun and never tagged. Raises IncrementsMissing."""
        return self._increments(self.numbers())

    def _increments(self, numbers: Sequence[int]) -> list[Increment]:
        stored = read_increments(self._directory, self._whose)
        newest = max(numbers, default=None)
        return stored if newest is None else [entry for entry in stored if entry["number"] <= newest]

    def lights(self) -> dict[int, Increment]:
        """The traffic-lights by their number; none where they are missing."""
        try:
            return {entry["number"]: entry for entry in read_increments(self._directory, self._whose)}
        except IncrementsMissing:
            return {}

    def numbers(self) -> list[int]:
        """The tags that exist, sorted."""
        if not self._git.has_repository():
            return []
        with directory(self._directory, GIT_NAME) as git:
            return tag_numbers(git)

    def visible_files(self, numbers: Sequence[int]) -> list[dict[str, str]]:
        """The visible files at each of these tags, by one process. Raises TagNotFound, CorruptKata."""
        if not numbers:
            return []
        if not self._git.has_repository():
            raise TagNotFound(f"{self._whose} has no tags")
        wanted = "".join(f"refs/tags/{number}:manifest.json\n" for number in numbers)
        printed = memoryview(self._git.run("cat-file", "--batch", stdin=[wanted.encode()]))
        found = []
        for number in numbers:
            content, printed = self._first_blob(printed, number)
            what = f"manifest.json at tag {number} of {self._whose}"
            found.append(checked_texts(decoded(content, what), what))
        return found

    def _first_blob(self, printed: memoryview, number: int) -> tuple[bytes, memoryview]:
        end = bytes(printed[:1000]).index(b"\n")
        words = bytes(printed[:end]).split()
        if words[-1] == b"missing":
            if number not in self.numbers():
                raise TagNotFound(f"tag {number} of {self._whose} isn't there")
            raise CorruptKata(f"tag {number} of {self._whose} has no manifest.json")
        size_bytes = int(words[2])
        return bytes(printed[end + 1 : end + 1 + size_bytes]), printed[end + 2 + size_bytes :]

    def current_files(self) -> dict[str, str]:
        """The visible files of the newest tag, or those in manifest.json where there is no tag. Raises CorruptKata."""
        numbers = self.numbers()
        if numbers:
            return self.visible_files(numbers[-1:])[0]
        what = f"manifest.json of {self._whose}"
        try:
            return checked_texts(decoded(files.read(self._directory, _MANIFEST, LIMIT_BYTES), what), what)
        except FileNotFoundError:
            raise CorruptKata(f"{what} isn't there") from None

    def patch(self, old: int, new: int) -> bytes:
        """What `git diff` prints of the sandbox at two tags, whole files as context. Raises TagNotFound."""
        numbers = self.numbers()
        for number in (old, new):
            if number not in numbers:
                raise TagNotFound(f"tag {number} of {self._whose} isn't there")
        options = ["--ignore-space-at-eol", "--find-copies-harder", "--minimal", "--unified=10000000"]
        form = ["--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/"]
        return self._git.run_without_index(
            "diff", *options, *form, f"refs/tags/{old}", f"refs/tags/{new}", "--", "sandbox"
        )
