"""Live sources in, restored frames out, for as long as nobody asks to stop."""
