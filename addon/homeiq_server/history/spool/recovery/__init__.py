"""What makes tables that can be relied on of whatever lies on the disk."""
