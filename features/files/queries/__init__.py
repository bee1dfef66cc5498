"""Files through the typed client: `rows` of single ones, `lists` of several."""
