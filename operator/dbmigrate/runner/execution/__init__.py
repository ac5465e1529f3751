"""Running one step: in one transaction, or statement by statement."""
