"""Atlas's format."""
