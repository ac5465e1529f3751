"""Resources as text for a terminal."""
