"""The pytest plugin behind `requires`: skips by name, a list at the end, and no skip at all where all is required."""

import os
from collections import Counter
from collections.abc import Generator, Iterator

import pytest

from tests.support import tools

REQUIRE_ALL = os.environ.get("OVERLAYWEB_REQUIRE") == "all"

LACKING = "lacking"


def pytest_configure(config: pytest.Config) -> None:
    """Make every tool's name a marker, so that `-m "not chromium"` works."""
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
        item.user_properties.append((LACKING, name))
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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what the machine lacks, by name, with what would bring it."""
    setups = _setups(terminalreporter)
    lacking = Counter(str(name) for report in setups for key, name in report.user_properties if key == LACKING)
    if not lacking:
        return
    terminalreporter.section("missing on this machine (make test-tools installs it)")
    for name, count in sorted(lacking.items()):
        terminalreporter.line(f"{name}: {count} tests not run · {tools.TOOLS[name].remedy}")


def _setups(terminalreporter: pytest.TerminalReporter) -> Iterator[pytest.TestReport]:
    """The report of each test's set-up; reports come through from the processes that share the run."""
    for reports in terminalreporter.stats.values():
        yield from (r for r in reports if isinstance(r, pytest.TestReport) and r.when == "setup")


def _required(item: pytest.Item) -> tuple[str, ...]:
    """The names in all `requires` markers of a test: its own, its class's and its module's."""
    return tuple(dict.fromkeys(name for mark in item.iter_markers("requires") for name in mark.args))
