"""The application's version, shown in the page footer and by /api/version/."""

VERSION = "3.0.0"
