"""Run as a script: makes a container's view of the machine, and runs its command there.

The view is made of Linux namespaces (user, mount, process, host name), which need
no privileges: a root file system put together from bind mounts; a process tree of
its own, in which the command is process 1 and which dies with it; and the user id
that the Pod asks for, mapped to the user who runs the tests. The network is the
machine's. It imports nothing but the standard library, so that it starts in
milliseconds.

    python -I -S sandbox.py ORDER.json

SIGTERM is passed on to process 1; SIGUSR1 kills it; the exit code is the one that
Kubernetes shows (128 + signal). If the command cannot be started, the reason is
written to the order's `failure` file and the exit code is 128.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import shutil
import signal
import sys
from typing import Any, NoReturn

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID = 0x10000000, 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
SYS_MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP = 1, 38, 24
START_FAILED = 128
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR2)

libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Take the order, leave the machine's namespaces, and watch over process 1."""
    with open(sys.argv[1]) as file:
        order = json.load(file)
    # Opened now: the machine's paths are gone when it may have to be written.
    failure = os.open(order["failure"], os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644)
    try:
        enter_namespaces(order["user"], order["group"])
    except OSError as problem:
        fail(failure, problem)
    # Only now: a change of credentials, as a new user namespace is, forgets the signal.
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != order["parent"]:
        sys.exit(1)
    child = os.fork()
    if child == 0:
        become_container(order, failure)
    for number in SIGNALS:
        signal.signal(number, lambda received, _frame: os.kill(child, received))
    signal.signal(signal.SIGUSR1, lambda _received, _frame: os.kill(child, signal.SIGKILL))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    # Past the interpreter's own farewell: nothing is left to do.
    os._exit(code if code >= 0 else 128 - code)


def enter_namespaces(user: int, group: int) -> None:
    """A user namespace in which we are that user, and one each for what it may then change."""
    outer_user, outer_group = os.geteuid(), os.getegid()
    kinds = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC
    call("unshare", libc.unshare(kinds))
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"{user} {outer_user} 1")
    write("/proc/self/gid_map", f"{group} {outer_group} 1")


def fail(failure: int, problem: BaseException) -> NoReturn:
    """Leave the reason behind, and end."""
    os.write(failure, str(problem).encode())
    os._exit(START_FAILED)


def become_container(order: dict[str, Any], failure: int) -> None:
    """Never returns: it becomes the command, or ends with START_FAILED."""
    try:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        name = order["hostname"].encode()
        call("sethostname", libc.sethostname(name, len(name)))
        build_root(order)
        enter_root(order["root"])
        os.chdir(order["directory"])
        drop_privileges(order)
        execute(order["command"], order["environment"])
    except BaseException as problem:
        fail(failure, problem)


def build_root(order: dict[str, Any]) -> None:
    """The order's root file system, in a new tmpfs at its root directory."""
    root = order["root"]
    call("mount", libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    mount_tmpfs(root, "mode=0755")
    for kind, target, detail in order["operations"]:
        path = root + target
        if kind == "directory":
            os.makedirs(path, exist_ok=True)
            os.chmod(path, int(detail, 8))
        elif kind == "link":
            os.symlink(detail, path)
        elif kind == "tmpfs":
            os.makedirs(path, exist_ok=True)
            mount_tmpfs(path, detail)
        elif kind == "proc":
            os.makedirs(path, exist_ok=True)
            mount_proc(path)
        else:
            bind(detail, path, read_only=kind == "bind-read-only")
    if order["read_only"]:
        set_read_only(root, recursive=False)


def bind(source: str, target: str, *, read_only: bool) -> None:
    """Let the file or directory be seen at that path, too."""
    if not os.path.lexists(target):
        if os.path.isdir(source):
            os.makedirs(target)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    what = f"mount {source} at {target}"
    call(what, libc.mount(os.fsencode(source), os.fsencode(target), None, MS_BIND | MS_REC, None))
    if read_only:
        set_read_only(target, recursive=True)


def set_read_only(path: str, *, recursive: bool) -> None:
    """mount_setattr(2), of Linux 5.12: unlike a remount it reaches the mounts below."""
    attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_RDONLY, 0, 0, 0)
    flags = AT_RECURSIVE if recursive else 0
    size = ctypes.sizeof(attributes)
    made = libc.syscall(
        SYS_MOUNT_SETATTR, AT_FDCWD, os.fsencode(path), flags, ctypes.byref(attributes), size
    )
    call(f"make {path} read-only", made)


def mount_tmpfs(path: str, options: str) -> None:
    """A file system in memory."""
    flags = MS_NOSUID | MS_NODEV
    made = libc.mount(b"tmpfs", os.fsencode(path), b"tmpfs", flags, options.encode())
    call(f"mount a tmpfs at {path}", made)


def mount_proc(path: str) -> None:
    """The new process tree; where the machine hides parts of /proc, its own as it is."""
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    if libc.mount(b"proc", os.fsencode(path), b"proc", flags, None) != 0:
        bind("/proc", path, read_only=False)


def enter_root(root: str) -> None:
    """Make it the root; the machine's root is not to be seen any more."""
    os.chdir(root)
    number = SYS_PIVOT_ROOT[platform.machine()]
    call("pivot_root", libc.syscall(number, b".", b"."))
    call("umount", libc.umount2(b".", MNT_DETACH))
    os.chdir("/")


def drop_privileges(order: dict[str, Any]) -> None:
    """What `capabilities: {drop: [ALL]}` and `allowPrivilegeEscalation: false` mean.

    A user other than root loses the namespace's capabilities by the exec itself.
    """
    if order["drop_capabilities"]:
        for capability in range(64):
            if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                break
    if order["no_new_privileges"]:
        call("no_new_privs", libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def execute(command: list[str], environment: dict[str, str]) -> None:
    """Become the command, found on the container's own PATH."""
    # Python ignores SIGPIPE, and programs that it starts would, too.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    name = command[0]
    path = name
    if "/" not in name:
        path = shutil.which(name, path=environment.get("PATH", "")) or ""
        if not path:
            raise OSError(f'exec: "{name}": executable file not found in $PATH')
    elif not os.path.exists(name):
        raise OSError(f'exec: "{name}": stat {name}: no such file or directory')
    try:
        os.execve(path, command, environment)
    except PermissionError:
        raise OSError(f'exec: "{name}": permission denied') from None


def write(path: str, text: str) -> None:
    """Write a small file by one call, as those of /proc want it."""
    file = os.open(path, os.O_WRONLY)
    os.write(file, text.encode())
    os.close(file)


def call(what: str, result: int) -> None:
    """Raise OSError if a libc call has failed."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    main()
