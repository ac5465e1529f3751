"""A DatabaseMigrationSet: many databases or schemas with the same migrations."""
