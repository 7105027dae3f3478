"""From words to what an encoder reads, and the encoders themselves."""
