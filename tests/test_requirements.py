"""The rule of the run itself: what a machine lacks is skipped and listed, or fails where everything is required."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

TEST = """
import pytest

@pytest.mark.requires("{tool}")
def test_with_a_tool():
    pass

def test_plain():
    pass

def test_that_skips_itself():
    pytest.skip("for no good reason")
"""


def run(folder: Path, *arguments: str, tool: str = "chromium", path: str = "", require: str = "") -> str:
    """What pytest prints for these three tests, with this PATH and OVERLAYWEB_REQUIRE."""
    (folder / "test_sample.py").write_text(TEST.format(tool=tool), encoding="ascii")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = requires\n", encoding="ascii")
    options = (
        "-p",
        "no:cacheprovider",
        "-p",
        "no:django",
        "-p",
        "tests.support.requirements",
        "-rs",
        "--strict-markers",
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--rootdir", str(folder), *options, *arguments, str(folder)],
        env={"PATH": path or os.environ["PATH"], "OVERLAYWEB_REQUIRE": require},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def test_a_missing_tool_is_a_skip_listed_by_name(folder: Path) -> None:
    output = run(folder, path="/nonexistent")

    assert "1 passed, 2 skipped" in output.splitlines()[-1]
    assert "chromium: 1 tests not run · apt-get install chromium" in output


def test_where_all_is_required_no_skip_passes(folder: Path) -> None:
    output = run(folder, path="/nonexistent", require="all")

    assert "1 failed, 1 passed, 1 error" in output.splitlines()[-1]
    assert "needs chromium (apt-get install chromium" in output
    assert "for no good reason" in output


@pytest.mark.requires("redis")
def test_a_tool_that_is_there_is_used(folder: Path) -> None:
    output = run(folder, "-m", "redis", tool="redis", require="all")

    assert "1 passed, 2 deselected" in output.splitlines()[-1]


def test_tests_can_be_left_out_by_the_name_of_a_tool(folder: Path) -> None:
    output = run(folder, "-m", "not chromium", path="/nonexistent")

    assert "1 passed, 1 skipped, 1 deselected" in output.splitlines()[-1]
