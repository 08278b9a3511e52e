"""git, as a program: objects, merges, the index and the working tree. It knows nothing of manifests."""
