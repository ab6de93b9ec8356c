"""The other end of a live service: what it publishes, counted and recorded."""
