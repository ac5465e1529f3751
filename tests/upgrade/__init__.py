"""The release before this one and this one in turns, on the same databases and resources."""
