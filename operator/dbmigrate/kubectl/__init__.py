"""`kubectl dbmigrate`: looking at migrations and ordering actions, with the user's own kubectl."""
