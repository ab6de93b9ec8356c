"""Makes the weights of streamrestore; not part of the installed package."""
