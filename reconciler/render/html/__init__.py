"""A document, or the result of a consent, as one HTML page without scripts or external resources."""
