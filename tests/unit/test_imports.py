"""The rooms of the house import one way, and each outside library has one door: read from the source."""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import katafs

_PACKAGE = Path(katafs.__file__).parent

_MAY_IMPORT = {
    "pypy": "",
    "errors": "",
    "kata_id": "errors",
    "namespace": "errors kata_id",
    "threads": "errors",
    "rooted": "errors pypy",
    "volumes": "errors kata_id namespace rooted threads",
    "tree": "errors kata_id namespace rooted volumes config",
    "untrusted": "errors rooted",
    "storers": "errors kata_id namespace rooted volumes untrusted config",
    "converter": "errors kata_id namespace rooted volumes untrusted storers threads",
    "config": "errors namespace",
    "settings": "errors kata_id namespace config",
    "observe": "errors threads",
    "fuse": "errors threads",
    "mount": "errors kata_id rooted volumes tree config observe fuse threads",
    "doctor": "errors kata_id rooted volumes config mount",
    "cli": "errors kata_id namespace rooted volumes tree storers converter config settings observe mount doctor",
    "__main__": "cli",
}
"""Which other rooms a room may import. cli → mount | converter → tree | storers → volumes → rooted | namespace → …

And mount → fuse, storers | converter → untrusted."""

_WHY = {
    "pypy": "what an interpreter lacks is the same for every program",
    "errors": "the faults are the same for everybody, so they depend on nobody",
    "kata_id": "the grammar of ids is pure: it knows neither paths nor Docker",
    "namespace": "what a path means is decided without asking whether anything exists",
    "threads": "how a thread is begun is the same for everybody: it knows nothing of what they do",
    "rooted": "the one place that touches bytes knows neither katas, volumes nor FUSE, so it can be audited alone",
    "volumes": "a store answers only which volumes exist and where they are, not what is in them",
    "tree": "the file system must survive a change of the binding and of the store",
    "untrusted": "what strangers wrote is read without anything that could run it, git above all",
    "storers": "the domain's reads and writes work on a volume, mounted or not",
    "converter": "a conversion needs neither a tree nor FUSE",
    "config": "settings are plain values",
    "settings": "what was set is read from a file, variables and flags: it knows neither terminals nor who uses it",
    "observe": "logs and metrics are told things; they ask nobody",
    "fuse": "the kernel's protocol is the same for every file system: it knows none of this one's",
    "mount": "the edge translates and decides nothing: it knows neither Docker nor the storers",
    "doctor": "it looks at a machine from outside: it serves nothing, and knows neither trees nor storers",
    "cli": "the command line wires all the rooms, and none of them knows it",
    "__main__": "the entry point only starts the command line",
}

_STORES = ("katafs.volumes.docker", "katafs.volumes.directories", "katafs.volumes.memory")
"""The stores themselves; only `cli` may say which one it is, everybody else has the protocol `katafs.volumes.store`."""

_DOORS = {
    "cffi": ("katafs.pypy", "because it is a part of PyPy alone"),
    "docker": ("katafs.volumes.docker", "so that everything else works on any store"),
    "dulwich": ("katafs.untrusted.parsed", "so that nothing of it looks for objects or configuration by itself"),
    "git": ("katafs.storers.git_program", "so that one module says how the git program is run"),
    "prometheus_client": ("katafs.observe.metrics", "so that only who shows figures waits until it is loaded"),
    "click": ("katafs.cli", "because the command line is the only one that talks to a terminal"),
    "rich": ("katafs.cli", "because the command line is the only one that talks to a terminal"),
}


def _imports(source: str) -> Iterator[tuple[int, str]]:
    """Each import in the source, also inside functions: its line and the module's full name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            # Both, since `from katafs import tree` names a room, and `from katafs.tree import nodes` a module of it.
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "__import__"):
            yield from ((node.lineno, str(arg.value)) for arg in node.args[:1] if isinstance(arg, ast.Constant))


def _room(module: str) -> str:
    return module.split(".")[1]


def _wrong(module: str, imported: str) -> str | None:
    """Why the module must not import this, or None where it may."""
    if imported.startswith("."):
        return "imports are absolute, so that a reader sees which room it is"
    top = imported.split(".")[0]
    if top in _DOORS:
        door, why = _DOORS[top]
        return None if module.startswith(door) else f"only {door} imports {top}, {why}"
    if top != "katafs" or imported in ("katafs", "katafs.__version__"):
        return None
    here, there = _room(module), _room(imported)
    if there != here and there not in _MAY_IMPORT[here].split():
        return _WHY[here]
    if imported.startswith(_STORES) and here not in ("cli", "volumes"):
        return "only cli knows which store it is, so that every room works on any of them"
    return None


def wrong_imports(module: str, source: str) -> list[str]:
    """One line for each import that goes the wrong way, with the reason."""
    return [
        f"line {line}: {module} must not import {imported}: {reason}"
        for line, imported in _imports(source)
        if (reason := _wrong(module, imported))
    ]


def _modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(_PACKAGE.rglob("*.py")):
        name = ".".join(["katafs", *path.relative_to(_PACKAGE).with_suffix("").parts])
        if name != "katafs.__init__":
            found.append((name.removesuffix(".__init__"), path))
    return found


@pytest.mark.parametrize(("module", "path"), [pytest.param(*found, id=found[0]) for found in _modules()])
def test_imports_go_one_way(module: str, path: Path) -> None:
    assert wrong_imports(module, path.read_text()) == []


def _imported_modules(path: Path, modules: set[str]) -> set[str]:
    names = [name for _, name in _imports(path.read_text())]
    return {name if name in modules else name.rpartition(".")[0] for name in names} & modules


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Not even for their types: what needs its user's type isn't a part that can be understood alone."""
    modules = dict(_modules())
    graph = {module: _imported_modules(path, set(modules)) for module, path in modules.items()}

    assert graph["katafs.tree.core"] >= {"katafs.tree.nodes", "katafs.rooted.inodes", "katafs.config"}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, with the circle


def test_the_package_itself_imports_nothing_of_its_own_but_what_its_interpreter_lacks() -> None:
    imported = [name for _, name in _imports((_PACKAGE / "__init__.py").read_text())]

    assert [name for name in imported if name.startswith((".", "katafs"))] == ["katafs.pypy"]


@pytest.mark.parametrize(
    ("module", "source", "reason"),
    [
        ("katafs.tree.nodes", "from katafs.mount import answers", "must survive a change of the binding"),
        ("katafs.tree.nodes", "import katafs.mount.answers", "must survive a change of the binding"),
        ("katafs.rooted.names", "from katafs import kata_id", "knows neither katas"),
        ("katafs.tree.nodes", "from katafs.volumes.memory import MemoryStore", "only cli knows which store"),
        ("katafs.tree.nodes", "from katafs.storers import git", "must survive"),
        ("katafs.mount.operations", "from katafs.volumes import docker_store", "only cli knows which store"),
        ("katafs.errors", "from katafs import config", "depend on nobody"),
        ("katafs.tree.nodes", "from katafs.fuse import wire", "must survive a change of the binding"),
        ("katafs.fuse.connection", "from katafs.tree.tree import Tree", "knows none of this one's"),
        ("katafs.cli.commands", "from katafs.fuse import mounting", "none of them knows it"),
        ("katafs.untrusted.objects", "from katafs.storers import git_program", "without anything that could run it"),
        ("katafs.volumes.store", "import docker.errors", "only katafs.volumes.docker imports docker"),
        ("katafs.config", "from rich.console import Console", "only katafs.cli imports rich"),
        ("katafs.mount.edge", "from . import answers", "imports are absolute"),
        ("katafs.tree.nodes", "def late():\n    from katafs.mount import answers", "line 2"),
        ("katafs.tree.nodes", "import importlib\nimportlib.import_module('katafs.mount')", "line 2"),
    ],
)
def test_a_wrong_import_is_found_with_its_reason(module: str, source: str, reason: str) -> None:
    (complaint,) = wrong_imports(module, source)

    assert reason in complaint


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("katafs.mount.edge", "from katafs.fuse import connection"),
        ("katafs.volumes.docker_store", "from docker.errors import NotFound"),
        ("katafs.tree.nodes", "from katafs.volumes.store import VolumeStore"),
        ("katafs.cli.commands", "from katafs.volumes.memory import MemoryStore"),
        ("katafs.cli.commands", "from katafs import __version__"),
    ],
)
def test_a_right_import_is_let_through(module: str, source: str) -> None:
    assert wrong_imports(module, source) == []


def test_every_room_has_its_rule() -> None:
    assert {_room(module) for module, _ in _modules()} <= _MAY_IMPORT.keys()
    assert _WHY.keys() == _MAY_IMPORT.keys()
