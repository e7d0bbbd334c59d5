"""A real nginx that names the owner of a key."""
