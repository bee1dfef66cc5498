"""The HTTP core: what every request passes through, shown with a small feature made for the purpose."""
