"""HTTP: what every request passes through, and the shapes every answer has."""
