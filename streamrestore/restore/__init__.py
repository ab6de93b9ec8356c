"""Running one branch on frames."""
