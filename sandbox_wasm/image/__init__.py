"""The guest: found, compiled, booted and cached."""
