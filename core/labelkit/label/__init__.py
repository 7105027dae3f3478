"""Label text with a trained model."""
