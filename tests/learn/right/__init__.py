"""Right answers in different styles, a module an exercise: `RIGHT = {function: [one way, another, ...]}`."""
