"""What can be wrong between documents. Reads no file."""
