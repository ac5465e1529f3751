"""The watch streams: what events mean, what was observed, what is next in the queue."""
