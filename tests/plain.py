"""The TLS of clients that speak plain http to this machine: none. To read all certificates takes 0.06 s of CPU each."""

import ssl

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody: an address that is https after all is refused."""
