"""Ideas through the typed client. Functions take `db` first and open no transaction."""
