"""The application's version, shown in the page footer and by /api/version/."""

VERSION = "2.1.0"
