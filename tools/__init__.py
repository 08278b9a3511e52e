"""Builds the documentation: reference pages, pictures, the site."""
