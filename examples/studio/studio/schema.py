"""The GraphQL schema, and what answers it."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext
from graphql import GraphQLError, GraphQLResolveInfo, build_schema

from studio.models import Heartbeat, Note, Picture

SDL = """
type Query {
  site: Site!
  me: String
  notes: [Note!]!
  pictures: [Picture!]!
  heartbeats: [Heartbeat!]!
}
type Mutation {
  join(name: String!): String!
}
type Site {
  greeting: String!
  motto: String!
  release: String!
  stage: String!
}
type Note {
  id: ID!
  author: String!
  body: String!
}
type Picture {
  id: ID!
  url: String!
  sha256: String!
  examinedBy: String!
}
type Heartbeat {
  beat: String!
  worker: String!
  at: String!
}
"""
schema = build_schema(SDL)


class Root:
    """The fields of Query and Mutation. Lists have the newest first."""

    def site(self, info: GraphQLResolveInfo) -> dict[str, str]:
        """Tell about this site, in the visitor's language."""
        return {
            "greeting": gettext("Welcome to the studio"),
            "motto": settings.MOTTO,
            "release": settings.RELEASE,
            "stage": settings.STAGE,
        }

    def me(self, info: GraphQLResolveInfo) -> str | None:
        """Tell under which name the visitor has joined, if so."""
        request: HttpRequest = info.context
        return request.session.get("name")

    def notes(self, info: GraphQLResolveInfo) -> list[dict[str, Any]]:
        """Return the last notes."""
        return [note.as_json() for note in Note.objects.order_by("-pk")[:50]]

    def pictures(self, info: GraphQLResolveInfo) -> list[dict[str, Any]]:
        """Return the last pictures."""
        return [picture.as_json() for picture in Picture.objects.order_by("-pk")[:50]]

    def heartbeats(self, info: GraphQLResolveInfo) -> list[dict[str, Any]]:
        """Return the last signs of life."""
        return [heartbeat.as_json() for heartbeat in Heartbeat.objects.order_by("-pk")[:50]]

    def join(self, info: GraphQLResolveInfo, name: str) -> str:
        """Let the visitor write under a name."""
        if not 0 < len(name) <= 40 or "\0" in name:
            raise GraphQLError("A name has 1 to 40 characters.")
        request: HttpRequest = info.context
        request.session["name"] = name
        return name
