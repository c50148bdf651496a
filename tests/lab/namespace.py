"""Private mount and PID namespaces: what was started in them ends with them, and so do their mounts.

Its first process reads a pipe of ours: when we end, however we end, the pipe closes, that process ends, and
the kernel kills the rest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from tests.needs import needs

UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private")
# The binds are done before `ready`; from then on, orphans are reaped by the kernel.
_INIT = """
set -e
while [ $# -gt 0 ]; do mount --bind "$1" "$2"; shift 2; done
trap '' CHLD
echo ready
exec cat >/dev/null
"""
# A command that hangs is a bug of the lab; none takes a tenth of this.
COMMAND_SECONDS = 60.0


class Missing(RuntimeError):
    """The lab cannot run here; the text names what to install or do."""


def require_root() -> None:
    """Raise Missing unless we are root."""
    if os.geteuid() != 0:
        raise Missing("the lab needs root, for Exim, its mounts and its DNS: run it as root or with sudo")


def require(*programs: str, package: str) -> None:
    """Raise Missing unless each program is there."""
    for program in programs:
        if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
            raise Missing(f"{program} is not installed: apt-get install {package}")


class Namespace:
    """The namespaces, alive while this object is open. `binds` maps each lab directory or file to what it hides."""

    @needs("needs_root")
    def __init__(self, binds: Mapping[Path, Path]) -> None:
        require_root()
        require("unshare", "nsenter", "mount", package="util-linux mount")
        for hidden in binds.values():
            if not hidden.exists():
                raise Missing(f"{hidden} is missing: apt-get install exim4-daemon-light")
        pairs = [str(path) for pair in binds.items() for path in pair]
        self._init = subprocess.Popen(
            [*UNSHARE, "sh", "-c", _INIT, "sh", *pairs],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us to see, not for Exim
        )
        assert self._init.stdout
        if self._init.stdout.readline() != b"ready\n":
            _, stderr = self._init.communicate()
            raise Missing(
                f"unshare --mount --pid does not work here: {stderr.decode(errors='replace').strip()}; "
                "in a container, run it with --privileged (or --cap-add SYS_ADMIN); "
                "in a chroot, make its directory a mount point first: mount --bind DIR DIR"
            )

    def command(self, *argv: str) -> list[str]:
        """Return the command line that runs `argv` in here."""
        process = f"/proc/{self._init.pid}"
        spaces = [f"--mount={process}/ns/mnt", f"--pid={process}/ns/pid_for_children"]
        # Where we run in a chroot: without its root, all this would happen to the machine around it.
        return ["nsenter", f"--root={process}/root", f"--wd={process}/root", *spaces, "--", *argv]

    def run(self, *argv: str, text: str = "", cwd: Path | None = None) -> str:
        """Run `argv` in `cwd` (or /), and return its output. Raises RuntimeError with all it said where it fails."""
        done = subprocess.run(
            self.command("env", f"--chdir={cwd or '/'}", *argv),
            input=text.encode("utf-8", "surrogateescape"),
            capture_output=True,
            timeout=COMMAND_SECONDS,
        )
        output = done.stdout.decode("utf-8", "surrogateescape")
        if done.returncode:
            errors = done.stderr.decode("utf-8", "replace")
            raise RuntimeError(f"{' '.join(argv)} exited {done.returncode}:\n{output}{errors}")
        return output

    def start(self, argv: Sequence[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start `argv` and return at once; it ends with the namespace."""
        none: Any = subprocess.DEVNULL
        return subprocess.Popen(self.command(*argv), stdin=none, stdout=output, stderr=output, start_new_session=True)

    def close(self) -> None:
        """End everything in here. Calling it twice is harmless."""
        for pipe in (self._init.stdin, self._init.stdout, self._init.stderr):
            if pipe:
                pipe.close()
        try:
            self._init.wait(5)
        except subprocess.TimeoutExpired:
            self._init.kill()
            self._init.wait()

    def __enter__(self) -> Namespace:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
