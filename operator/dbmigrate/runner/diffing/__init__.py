"""From two schemas to migration files that are verified in scratch databases."""
