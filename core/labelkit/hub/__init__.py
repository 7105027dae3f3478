"""The Hugging Face Hub: one short request per question, plain files only."""
