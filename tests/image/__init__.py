"""The container image, built from its Dockerfile and run."""
