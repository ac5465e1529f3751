"""The documents that Atlas prints as JSON: `-as-atlas`."""
