"""The commands, one module each; the module is named for its command."""
