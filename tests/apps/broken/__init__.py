"""A page that fails."""
