"""All that the stub does."""
