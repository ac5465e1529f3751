"""The use cases on sources and postgres; each makes a Report."""
