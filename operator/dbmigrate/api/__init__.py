"""The custom resources as frozen dataclasses; no I/O."""
