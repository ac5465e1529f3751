"""Many databases and schemas in one run: which they are, and how they are worked on."""
