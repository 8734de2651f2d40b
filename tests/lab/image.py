"""The one image of the lab, made on the spot from the static busybox: there is no registry."""

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

IMAGE = "lab/web:1"
"""A web server on port 80. As PID 1 it ignores SIGTERM; under an init process it stops at once."""

_APPLETS = ("cat", "httpd", "ls", "nc", "sh", "sleep", "wget")
_PAGE = b"lab\n"
CHANGES = "CMD [" + ", ".join(f'"{word}"' for word in ("/bin/httpd", "-f", "-p", "80", "-h", "/www")) + "]"


class ImageError(Exception):
    """The image of the lab can not be made from what is on this machine."""


def _busybox() -> Path:
    found = shutil.which("busybox")
    if found is None:
        raise ImageError("busybox is missing; the Debian package busybox-static brings it")
    applets = subprocess.run([found, "--list"], capture_output=True, text=True, check=True)
    if missing := set(_APPLETS) - set(applets.stdout.split()):
        raise ImageError(f"{found} lacks {', '.join(sorted(missing))}; busybox-static has them")
    return Path(found).resolve()


def tarball() -> bytes:
    """Return the root folder of the image as a tar archive, to be imported by an engine."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(_busybox(), arcname="bin/busybox")
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        page = tarfile.TarInfo("www/index.html")
        page.size = len(_PAGE)
        tar.addfile(page, io.BytesIO(_PAGE))
        for folder in ("tmp", "etc", "data"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
    return buffer.getvalue()
