"""The command line: argument parsing and printing, one module a command."""
