"""Run as a script: becomes the given program, which dies when the process that started it does.

Nothing is left behind when the tests are killed, even by SIGKILL. The kernel
watches the thread that started the program, not its process: start such programs
from a thread that lives as long as they should.

    python -I -S tied.py PARENT-PID PROGRAM [ARGUMENT ...]
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for the signal, see that the parent is still there, become the program."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
