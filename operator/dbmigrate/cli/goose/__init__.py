"""goose's command line as `dbmigrate goose`."""
