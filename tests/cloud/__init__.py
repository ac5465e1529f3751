"""Logging in as an identity of a cloud provider, on servers and endpoints of the tests' own.

No cloud is reached. `gate.py` stands before a real PostgreSQL as a provider's server does, and
`endpoints.py` for the providers' metadata and token services, which their own libraries ask.
"""
