"""goose's format."""
