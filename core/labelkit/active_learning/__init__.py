"""Choose what to annotate next: texts that a labeller is uncertain of, no two of them alike."""
