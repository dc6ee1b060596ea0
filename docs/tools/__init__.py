"""What writes those parts of the documentation that follow from something else."""
