"""`kubectl dbmigrate`: shows migrations and gives orders, through the user's own kubectl."""
