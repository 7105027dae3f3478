"""The plugin machinery: discover, validate, isolate and catalogue plugins; scaffold new ones."""
