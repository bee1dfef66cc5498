"""The shapes of answers, and what is done to each on its way out."""
