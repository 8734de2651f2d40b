"""The pytest plugin behind `requires`: skips by name, a list at the end, and no skip at all where all is required."""

import os
from collections.abc import Generator

import pytest

from tests.support import tools

REQUIRE_ALL = os.environ.get("OVERLAYWEB_REQUIRE") == "all"

_lacking = pytest.StashKey[dict[str, int]]()


def pytest_configure(config: pytest.Config) -> None:
    """Make every tool's name a marker, so that `-m "not chromium"` works."""
    config.stash[_lacking] = {}
    for name, tool in tools.TOOLS.items():
        config.addinivalue_line("markers", f"{name}: set by requires({name!r}); where it is missing: {tool.remedy}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the markers of the tools that it requires."""
    for item in items:
        for name in _required(item):
            item.add_marker(name)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or fail, a test whose tools are missing, before any fixture of it starts."""
    lacking = tools.missing(_required(item))
    if not lacking:
        return
    for name in lacking:
        item.config.stash[_lacking][name] = item.config.stash[_lacking].get(name, 0) + 1
    reason = "; ".join(f"needs {name} ({tools.TOOLS[name].remedy})" for name in lacking)
    if REQUIRE_ALL:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is required, a skip of any kind is a failure."""
    report = yield
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and OVERLAYWEB_REQUIRE=all allows none: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself while it is collected."""
    report = yield
    if REQUIRE_ALL and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped, and OVERLAYWEB_REQUIRE=all allows none"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """List what the machine lacks, by name, with what would bring it."""
    lacking = config.stash[_lacking]
    if not lacking:
        return
    terminalreporter.section("missing on this machine (make test-tools installs it)")
    for name, count in sorted(lacking.items()):
        terminalreporter.line(f"{name}: {count} tests not run · {tools.TOOLS[name].remedy}")


def _required(item: pytest.Item) -> tuple[str, ...]:
    """The names in all `requires` markers of a test: its own, its class's and its module's."""
    return tuple(dict.fromkeys(name for mark in item.iter_markers("requires") for name in mark.args))
