"""What a version is called and what it leaves: versions → aliases."""
