"""What the tests of the collection on a real host need."""

import own_collections  # noqa: F401 for its effect
