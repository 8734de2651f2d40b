"""Forms of clusters and reserved ranges. They validate, nothing else."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django import forms
from django.core.exceptions import ValidationError

from overlayweb.models import Cluster, NodeEndpoint, Reached
from overlayweb.models.secrets import UnreadableSecretError

SOCKET = re.compile(r"unix:///[\w.@+/-]+", re.ASCII)
TLS_FIELDS = ("tls_ca", "tls_certificate", "tls_key")
NOT_PAIRED = "This key does not belong to the certificate above."


def _pem(label: str) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocomplete": "off", "class": "mono"})
    return forms.CharField(required=False, label=label, widget=widget)


class EndpointForm(forms.Form):
    """Where an engine is reached. ``reached``: the one that is edited, whose key is kept while the field is empty."""

    endpoint = forms.CharField(max_length=255, label="Address")
    tls_ca = _pem("CA certificate")
    tls_certificate = _pem("Client certificate")
    tls_key = _pem("Client key")

    def __init__(self, *args: Any, reached: Reached | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("initial", _initial(reached))
        super().__init__(*args, **kwargs)
        self.reached = reached

    @property
    def kept_key(self) -> bool:
        """Whether there is a key to keep."""
        return bool(self.reached and self.reached.tls_key_sealed)

    def clean_endpoint(self) -> str:
        """A socket of this machine, or TCP."""
        endpoint: str = self.cleaned_data["endpoint"]
        scheme = endpoint.partition("://")[0]
        if scheme == "ssh":
            raise ValidationError(
                "Overlayweb does not reach managers over SSH yet. Open the engine's port with TLS and use tcp://."
            )
        if scheme not in ("unix", "tcp") or not (SOCKET.fullmatch(endpoint) or _is_tcp(endpoint)):
            raise ValidationError("Write unix:///path/of/docker.sock, or tcp://host:2376.")
        return endpoint

    def clean_tls_ca(self) -> str:
        """PEM of one or more certificates."""
        return _certificate(self.cleaned_data["tls_ca"])

    def clean_tls_certificate(self) -> str:
        """PEM of a certificate."""
        return _certificate(self.cleaned_data["tls_certificate"])

    def clean_tls_key(self) -> str:
        """PEM of a private key without a pass phrase."""
        text: str = self.cleaned_data["tls_key"].strip()
        try:
            if text:
                load_pem_private_key(text.encode(), password=None)
        except (TypeError, ValueError) as error:
            raise ValidationError("This is not a private key in PEM without a pass phrase (key.pem).") from error
        return f"{text}\n" if text else ""

    def clean(self) -> dict[str, Any]:
        """TCP needs all of TLS, a socket none of it; and the key belongs to the certificate."""
        cleaned = super().clean() or {}
        endpoint = cleaned.get("endpoint", "")
        for name in TLS_FIELDS:
            kept = name == "tls_key" and self.kept_key
            if endpoint.startswith("tcp://") and not cleaned.get(name) and not kept and name not in self.errors:
                self.add_error(name, "TCP needs it: without TLS, anybody who reaches the port controls the cluster.")
            if endpoint.startswith("unix://") and cleaned.get(name):
                self.add_error(name, "A socket of this machine has no TLS. Empty this field, or write tcp://.")
        certificate, key = cleaned.get("tls_certificate"), cleaned.get("tls_key") or self._stored_key()
        if certificate and key and not _paired(certificate, key):
            self.add_error("tls_key", NOT_PAIRED)
        return cleaned

    def _stored_key(self) -> str:
        try:
            return self.reached.tls_key if self.reached and self.data.get("endpoint", "").startswith("tcp://") else ""
        except UnreadableSecretError:
            self.add_error("tls_key", "The stored key cannot be opened any more. Enter it again.")
            return ""


class ClusterForm(EndpointForm):
    """A manager's address, and for TCP the three parts of TLS."""

    field_order = ("name",)
    name = forms.SlugField(
        max_length=63,
        error_messages={"invalid": "Use letters, digits, - and _ only: the name is part of the address of its pages."},
    )

    def __init__(self, *args: Any, reached: Cluster | None = None, **kwargs: Any) -> None:
        initial = {**_initial(reached), "name": reached.name if reached else ""}
        super().__init__(*args, reached=reached, initial=initial, **kwargs)
        self.fields["endpoint"].label = "Address of a manager"

    def clean_name(self) -> str:
        """A name that no other cluster has; ``add`` is the address of this form."""
        name: str = self.cleaned_data["name"]
        others = Cluster.objects.exclude(pk=self.reached.pk) if self.reached else Cluster.objects.all()
        if name == "add" or others.filter(name__iexact=name).exists():
            raise ValidationError("This name is taken. Choose another one.")
        return name


class NodeEndpointForm(EndpointForm):
    """Where one node's own engine is reached."""

    field_order = ("hostname",)
    hostname = forms.ChoiceField(label="Node")

    def __init__(
        self, *args: Any, hostnames: Sequence[str], reached: NodeEndpoint | None = None, **kwargs: Any
    ) -> None:
        initial = {**_initial(reached), "hostname": reached.hostname if reached else ""}
        super().__init__(*args, reached=reached, initial=initial, **kwargs)
        field = self.fields["hostname"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [(name, name) for name in hostnames]


def _initial(reached: Reached | None) -> dict[str, str]:
    """What the form shows first; a stored key is never sent."""
    if reached is None:
        return {}
    return {"endpoint": reached.endpoint, "tls_ca": reached.tls_ca, "tls_certificate": reached.tls_certificate}


def _is_tcp(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
        extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username
        return parts.scheme == "tcp" and bool(parts.hostname) and parts.port != 0 and not extra
    except ValueError:
        return False


def _certificate(text: str) -> str:
    text = text.strip()
    try:
        if text:
            x509.load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise ValidationError(
            "This is not a certificate in PEM (it begins with -----BEGIN CERTIFICATE-----)."
        ) from error
    return f"{text}\n" if text else ""


def _paired(certificate: str, key: str) -> bool:
    own = load_pem_private_key(key.encode(), password=None).public_key()
    return x509.load_pem_x509_certificate(certificate.encode()).public_key() == own
