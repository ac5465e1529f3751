"""goose's command line with our name before it."""
