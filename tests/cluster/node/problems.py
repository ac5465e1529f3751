"""What can stand in a container's way, in the words of the kubelet.

Refused         what this node cannot honour; the Pod fails at once
NotYet          something is missing; tried again until it appears
  MissingConfig   of the environment: CreateContainerConfigError
  MissingVolume   of a volume: a FailedMount event, the container stays as it is
  MissingImage    ErrImagePull, then ImagePullBackOff
  ServerAway      the API server did not answer; the status does not show it
"""

from __future__ import annotations


class Refused(Exception):
    """The Pod asks for something that this node cannot honour; the message names the field."""


class NotYet(Exception):
    """Something is missing that may appear; the message is the kubelet's."""

    reason = "CreateContainerError"


class MissingConfig(NotYet):
    """A Secret, a ConfigMap, a key of one, or a user that may not be."""

    reason = "CreateContainerConfigError"


class MissingVolume(NotYet):
    """What a volume is made from."""

    reason = "FailedMount"


class MissingImage(NotYet):
    """No image of that name is registered."""

    reason = "ErrImagePull"


class ServerAway(NotYet):
    """The API server did not say what it was asked for."""


class Stopped(Exception):
    """The Pod is being stopped: do not go on."""
