"""Processes that hold observations look for garbage seldom."""

import subprocess
import sys
from pathlib import Path

from overlayweb import garbage
from tests.support import installations


def test_the_web_process_looks_for_garbage_as_seldom_as_it_should(tmp_path: Path) -> None:
    asked = "import gc, overlayweb.asgi; print(*gc.get_threshold())"
    answer = subprocess.run(
        [sys.executable, "-c", asked],
        env=installations.environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert answer.stdout.split() == [str(garbage.NEW), str(garbage.MIDDLE), str(garbage.OLD)]
