"""What a command prints: text for terminals, documents for programs, the report file."""
