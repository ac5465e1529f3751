"""Which of several operators works: a Lease names it, and the others are standbys."""
