"""The subcommands: one module each, or one for those that are alike."""
