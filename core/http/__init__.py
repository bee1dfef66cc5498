"""HTTP: the layers that every request passes, and the shapes of every response."""
