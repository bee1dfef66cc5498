"""What a request passes through, and the types of what it brings."""
