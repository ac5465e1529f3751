"""One module for each family of objects: how they are created, dropped and altered."""
