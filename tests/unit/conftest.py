"""What all unit tests need."""

import own_collections  # noqa: F401 for its effect
