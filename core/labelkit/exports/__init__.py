"""Exports: folders by which other programs run a labeller, each checked by running it before it is there."""
