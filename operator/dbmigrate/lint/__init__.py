"""What may go wrong with a migration that runs well on an empty database."""
