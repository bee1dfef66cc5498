"""The documents: how the AsyncAPI one is made, how both become files, and how both are judged."""
