"""A backend for Label Studio: it labels tasks before people do, and trains on what they corrected."""
