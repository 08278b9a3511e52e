"""What builds the documentation: reference pages, pictures, the site."""
