"""How a run is configured: settings, recipes, environment, and the plan they are merged into."""
