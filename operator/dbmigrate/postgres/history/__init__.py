"""History tables: dbmigrate's and those of other tools, one module a table."""
