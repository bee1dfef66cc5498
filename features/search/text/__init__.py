"""Text functions of the search: words, highlighted passages, completions. All are pure."""
