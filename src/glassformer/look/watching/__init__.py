"""What `watch` is made of: the source as text, a model's running functions, and the mode that is told of it all."""
