"""Reading the command line and the environment."""
