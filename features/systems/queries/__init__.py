"""Systems through the typed client: `registry` what it holds, `checks` what checks of it read and write."""
