"""The electronic journal as both ends compute it: what a record says, and how records are chained."""
