"""`glassformer look --serve`: the page from 127.0.0.1, with the model behind it."""
