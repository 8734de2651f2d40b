"""What import-linter cannot say: who may import which packages of others, file by file."""

import ast
import sys
from pathlib import Path

from django.conf import settings

ROOT: Path = settings.BASE_DIR


def imports_of(path: Path) -> set[str]:
    """The full names of everything that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def own_files(*folders: str) -> list[Path]:
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert files
    return files


def test_the_domain_imports_the_standard_library_and_itself() -> None:
    foreign = {
        (str(path.relative_to(ROOT)), name)
        for path in own_files("overlayweb/domain")
        for name in imports_of(path)
        if name.partition(".")[0] not in sys.stdlib_module_names
        and name != "overlayweb"
        and not name.startswith("overlayweb.domain")
    }

    assert foreign == set()


def test_only_the_engine_package_imports_docker() -> None:
    importers = {
        path.relative_to(ROOT).parts[:2]
        for path in own_files("overlayweb", "tasks")
        if any(name.partition(".")[0] == "docker" for name in imports_of(path))
    }

    assert importers == {("overlayweb", "engine")}


def test_no_file_is_too_long_to_read_in_one_go() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in own_files("overlayweb", "tasks", "tests")
        if path.parent.name != "migrations"  # written by makemigrations
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }

    assert long == {}
