"""The commands that change nothing: they read the files and the history."""
