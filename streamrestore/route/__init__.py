"""Which weather a clip has, and what is to be done about it."""
