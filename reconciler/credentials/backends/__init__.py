"""One module for each kind of secret reference. Never logs a secret."""
