"""What people read: documents decide once what is said, layouts only place it."""
