"""Secrets from where they are kept: a reference such as `env:NAME` goes in, a Secret comes out."""

from reconciler.core.secret import Secret
from reconciler.credentials.consent_store import SecretConsentStore
from reconciler.credentials.resolver import SecretResolver

__all__ = ["Secret", "SecretConsentStore", "SecretResolver"]
