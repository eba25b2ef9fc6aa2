"""The configuration's JSON Schema, for editors: made from the signatures that the configuration is read by."""

from __future__ import annotations

from typing import Any

from beaufort.sections import CONTENTS

__all__ = ["schema"]


def schema() -> dict[str, Any]:
    """Draft 2020-12. A plugin that can't be imported here has a section with its type alone."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Beaufort", **CONTENTS.schema()}
