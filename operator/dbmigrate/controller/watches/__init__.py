"""The watch streams: what events mean, what has been observed, and the work queue."""
