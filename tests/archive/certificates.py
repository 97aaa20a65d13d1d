"""Makes certificates for tests of HTTPS; run by the Python in target/tools, which has the package cryptography.

  certificates.py DIRECTORY

  ca.pem             an authority's own certificate, and stranger.pem another's, which has signed nothing here
  server.pem, .key   a certificate of that authority for 127.0.0.1
  other.pem, .key    one for another name
  past.pem, .key     one for 127.0.0.1 that has expired
"""

import datetime
import ipaddress
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def authority(text):
    key = ec.generate_private_key(ec.SECP256R1())
    made = (x509.CertificateBuilder().subject_name(name(text)).issuer_name(name(text)).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(NOW - 2 * DAY).not_valid_after(NOW + DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True))
    return key, made.sign(key, hashes.SHA256())


def server(signer, who, until):
    signing_key, signing = signer
    key = ec.generate_private_key(ec.SECP256R1())
    made = (x509.CertificateBuilder().subject_name(name("server")).issuer_name(signing.subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(NOW - 2 * DAY).not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([who]), critical=False))
    return key, made.sign(signing_key, hashes.SHA256())


def main(directory):
    def write(file, key, certificate):
        (directory / f"{file}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        if key:
            (directory / f"{file}.key").write_bytes(key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    ours, loopback = authority("binlog tests"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    write("ca", None, ours[1])
    write("stranger", None, authority("a stranger")[1])
    write("server", *server(ours, loopback, NOW + DAY))
    write("other", *server(ours, x509.DNSName("another.example"), NOW + DAY))
    write("past", *server(ours, loopback, NOW - DAY))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
