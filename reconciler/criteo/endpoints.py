"""The endpoints of the API, as paths without IDs."""

from enum import StrEnum


class Endpoint(StrEnum):
    """A path below the version of the API; the token has a path of its own."""

    TOKEN = "/oauth2/token"  # noqa: S105 - a path
    APPLICATION = "/me"
    ACCOUNTS = "/accounts"
    RETAILERS = "/accounts/{account}/retailers/search"
    AUDIENCES = "/accounts/{account}/audiences/search"
    SEARCH = "/accounts/{account}/audience-segments/search"
    CREATE = "/accounts/{account}/audience-segments/create"
    UPDATE = "/accounts/{account}/audience-segments"
    DELETE = "/accounts/{account}/audience-segments/delete"
    STATISTICS = "/accounts/{account}/audience-segments/{segment}/contact-list"
    CHANGE_MEMBERS = "/audience-segments/{segment}/contact-list/add-remove"
