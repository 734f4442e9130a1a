"""The backend of the stub."""
