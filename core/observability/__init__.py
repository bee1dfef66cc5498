"""What the running app says about itself: log events (`logging`) and figures (`metrics`)."""
