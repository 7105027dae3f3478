"""Pages over the registry for a browser: runs, comparisons, errors, data and a playground."""
