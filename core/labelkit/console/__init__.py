"""Terminal output: tables and coloured spans; text of users is shown literally."""
