"""One module for each kind of secret reference; `../resolver.py` lists them. Never logs a secret."""
