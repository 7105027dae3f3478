"""Observers of labelkit that log runs to MLflow and TensorBoard."""
