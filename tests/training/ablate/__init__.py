"""Of `training.ablate`."""
