"""The scratch PostgreSQL of a rehearsal: a sidecar that runs as long as the Job's Pod.

It is new in each Pod and deleted with it. It listens on a socket in a volume that only
the two containers mount, and on no network; it asks for no password, because nothing else
can reach it. It needs no durability and has no secret of the target. Any image works that
has initdb and postgres of the right major version on its PATH, and a shell.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.api.fields import Document
from dbmigrate.api.names import PASSWD_ANNOTATION, REHEARSAL_CONTAINER
from dbmigrate.api.spec import JobOptions
from dbmigrate.controller.jobs.command_line import REHEARSAL_PATH
from dbmigrate.controller.jobs.mounts import COPY_USER

VOLUME = "rehearsal"
PASSWD_VOLUME = "rehearsal-passwd"
SIZE_LIMIT = "1Gi"
RESOURCES: Document = {
    "requests": {"cpu": "50m", "memory": "128Mi"},
    "limits": {"memory": "512Mi"},
}
SETTINGS = (
    "listen_addresses=",
    f"unix_socket_directories={REHEARSAL_PATH}",
    "port=5432",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "max_connections=20",
    # A schema with thousands of tables takes a lock for each of them.
    "max_locks_per_transaction=1024",
    # A container has 64 MB of /dev/shm at most.
    "dynamic_shared_memory_type=mmap",
)
DATA = f"{REHEARSAL_PATH}/data"
# Constant: nothing of a resource is ever part of it. A restarted container starts with new data.
# The shell is the first process, for which SIGTERM has no default action: initdb runs in the
# background.
SCRIPT = (
    f"trap 'kill $!; exit 143' TERM; rm -rf {DATA}; initdb --pgdata={DATA} --username=postgres"
    " --auth=trust --encoding=UTF8 --no-sync & wait $! && exec postgres"
    f" -D {DATA} {' '.join(f'-c {setting}' for setting in SETTINGS)}"
)


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What a scratch server adds to the Pod."""

    container: Document
    """Still to be hardened, as the Pod's other containers are."""
    user: int | None
    """Its user, unless the resource sets another; None: the cluster assigns it."""
    volumes: tuple[Document, ...]
    mount: Document
    """The runner's view of the socket."""
    annotations: dict[str, str]


def place_beside(image: str, options: JobOptions, *, names_ids: bool) -> Sidecar:
    """The sidecar of that image; `names_ids`: it runs as our own user where no other is named.

    Where the user is not known it has no entry of ours among the users: the container runtime of
    a cluster that assigns them writes one.
    """
    user = _find_user(options)
    if user is None and names_ids:
        user = COPY_USER
    container: Document = {
        "name": REHEARSAL_CONTAINER,
        "image": image,
        "restartPolicy": "Always",
        "command": ["sh", "-c", SCRIPT],
        "volumeMounts": [{"name": VOLUME, "mountPath": REHEARSAL_PATH}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": options.rehearsal.resources or RESOURCES,
    }
    volumes: list[Document] = [{"name": VOLUME, "emptyDir": {"sizeLimit": SIZE_LIMIT}}]
    annotations = {}
    if user is not None:
        field = {"fieldPath": f"metadata.annotations['{PASSWD_ANNOTATION}']"}
        passwd = {"items": [{"path": "passwd", "fieldRef": field}]}
        volumes.append({"name": PASSWD_VOLUME, "downwardAPI": passwd})
        place = {"name": PASSWD_VOLUME, "mountPath": "/etc/passwd", "subPath": "passwd"}
        container["volumeMounts"].append({**place, "readOnly": True})
        annotations[PASSWD_ANNOTATION] = _write_passwd(user)
    return Sidecar(
        container=container,
        user=user,
        volumes=tuple(volumes),
        mount={"name": VOLUME, "mountPath": REHEARSAL_PATH, "readOnly": True},
        annotations=annotations,
    )


def _find_user(options: JobOptions) -> int | None:
    for security in (options.security_context, options.pod_security_context):
        user = security.get("runAsUser")
        if isinstance(user, int):
            return user
    return None


def _write_passwd(user: int) -> str:
    """initdb needs a user name, and an image knows the names of its own users only."""
    return (
        "root:x:0:0::/root:/bin/sh\n"
        f"postgres:x:{user}:{user}:scratch server:{REHEARSAL_PATH}:/bin/sh\n"
    )
