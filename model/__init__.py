"""A spec and a dataset to a trained model, epoch by epoch."""
