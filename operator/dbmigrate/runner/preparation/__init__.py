"""What a run does and checks before its first step."""
