"""The version table of each tool: how it is read and written."""
