"""The operator as a process, on a real API server, with the real runner and a real PostgreSQL."""
