"""Imports go down the floors of the package, and no module imports itself in a circle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parents[1] / "nnlayers"
PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"

# As docs/architecture.md has them, from the bottom to the top.
FLOORS = [
    ["_core"],
    ["initializers", "layer", "parameter"],
    ["drawing"],
    ["data", "layers", "losses", "optim"],
    ["saving", "testing"],
    ["graphs"],
    ["engine"],
    ["training"],
    ["config", "export"],
    ["cli", "estimators"],
]
# Files that stand alone and build on each other; every other entry of a floor is a separate room.
CONTRACT = {"initializers", "layer", "parameter"}
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


class Import(NamedTuple):
    """One name imported by one module, both by dotted paths within the package."""

    module: str
    imported: str
    for_types_only: bool
    line: int


def modules() -> dict[str, Path]:
    """Return the package's files by dotted name, ``""`` for the package itself."""
    named = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        named[".".join(part for part in parts if part != "__init__")] = path
    return named


MODULES = modules()


def imports_of(module: str) -> Iterator[Import]:
    """Yield the imports of a module, those within functions included."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.split(".")[0] == "nnlayers":
                imported = name.removeprefix("nnlayers").lstrip(".")
                yield Import(module, imported, id(node) in typing_only, node.lineno)


def public_classes() -> dict[str, list[str]]:
    """Return the modules that define each class, by the class's name; private ones left out."""
    defined: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                defined.setdefault(node.name, []).append(module)
    return defined


def module_of(imported: str) -> str:
    """Return the longest prefix of a dotted name that is a module."""
    while imported not in MODULES:
        imported = imported.rpartition(".")[0]
    return imported


def room_of(dotted: str) -> str:
    room = dotted.split(".")[0]
    return "contract" if room in CONTRACT else room


IMPORTS = [found for module in MODULES for found in imports_of(module)]
# The two modules that stand outside the house: the front door, and `python -m nnlayers`.
# The command line says the package's version, which the front door has.
INSIDE = [
    found
    for found in IMPORTS
    if found.module not in ("", "__main__") and (found.module, found.imported) != ("cli.main", "")
]


def test_every_room_has_a_floor() -> None:
    rooms = {module.split(".")[0] for module in MODULES} - {"", "__main__"}
    assert rooms <= FLOOR_OF.keys()


def test_the_page_has_the_floors_of_the_package() -> None:
    rows = re.findall(r"^\| (\d) \| (.*?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    documented = {int(floor): set(re.findall(r"`(\w+)[/.]", rooms)) for floor, rooms in rows}
    assert documented == {floor: set(rooms) for floor, rooms in enumerate(FLOORS)}


def goes_down(found: Import) -> bool:
    """Return whether an import leads to a floor below, or stays in its room."""
    room, imported = found.module.split(".")[0], found.imported.split(".")[0]
    if imported not in FLOOR_OF:  # the front door
        return False
    return FLOOR_OF[imported] < FLOOR_OF[room] or room_of(room) == room_of(imported)


def takes_private_name(found: Import) -> bool:
    """Return whether an import takes a private name out of another room."""
    is_private = any(part.startswith("_") for part in found.imported.split(".")[1:])
    return is_private and room_of(found.module) != room_of(found.imported)


def test_imports_go_down_or_stay_in_the_room() -> None:
    assert [found for found in INSIDE if not goes_down(found)] == []


def test_no_private_name_leaves_its_room() -> None:
    assert [found for found in INSIDE if takes_private_name(found)] == []


def test_no_module_imports_itself_in_a_circle() -> None:
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for found in INSIDE:
        target = module_of(found.imported)
        # Annotations may name a class of the same room that is defined later.
        if target != found.module and not found.for_types_only:
            graph[found.module].add(target)
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for target in sorted(graph[module]):
                visit(target, [*path, module])
            done.add(module)

    for module in graph:
        visit(module, [])


def test_no_two_classes_share_a_name() -> None:
    # Users find these two names in two namespaces: a schedule and an initializer, a rule for an
    # optimizer and the callback that applies it.
    public = {"Constant", "ReduceOnPlateau"}
    assert {name for name, where in public_classes().items() if len(where) > 1} == public
