"""How fast the runner is beside its peers, as ratios from one run on one PostgreSQL."""
