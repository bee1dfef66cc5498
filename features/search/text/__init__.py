"""Text as the search sees it: words, highlighted passages, completions. Pure functions."""
