"""Random values are bounded as in tests/property: what is loaded there holds here too."""

import tests.property.conftest  # noqa: F401
