"""The use cases of the runner, one module a command."""
