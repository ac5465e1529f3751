"""The subcommands: one module each, or one for several similar ones."""
