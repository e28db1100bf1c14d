"""Protocols that most networks have, by the ports that IANA registered for them; added on request, never by themselves.

Source: IANA "Service Name and Transport Protocol Port Number Registry" (RFC 6335), the vendors' own defaults below it.
"""

from __future__ import annotations

from django.db import transaction

from monitors.labels.resolve import raise_revision
from monitors.models import Application, ApplicationPort
from monitors.models.label import TransportProtocol

TCP, UDP = TransportProtocol.TCP, TransportProtocol.UDP
WELL_KNOWN: dict[str, tuple[tuple[int, int, int], ...]] = {
    "FTP": ((TCP, 20, 21),),
    "SSH": ((TCP, 22, 22),),
    "Telnet": ((TCP, 23, 23),),
    "SMTP": ((TCP, 25, 25), (TCP, 465, 465), (TCP, 587, 587)),
    "DNS": ((TCP, 53, 53), (UDP, 53, 53)),
    "DNS over TLS": ((TCP, 853, 853),),
    "DHCP": ((UDP, 67, 68),),
    "HTTP": ((TCP, 80, 80), (TCP, 8080, 8080)),
    "HTTPS": ((TCP, 443, 443), (UDP, 443, 443), (TCP, 8443, 8443)),
    "Kerberos": ((TCP, 88, 88), (UDP, 88, 88)),
    "POP3": ((TCP, 110, 110), (TCP, 995, 995)),
    "NTP": ((UDP, 123, 123),),
    "RPC": ((TCP, 111, 111), (UDP, 111, 111), (TCP, 135, 135)),
    "IMAP": ((TCP, 143, 143), (TCP, 993, 993)),
    "SNMP": ((UDP, 161, 162),),
    "BGP": ((TCP, 179, 179),),
    "LDAP": ((TCP, 389, 389), (UDP, 389, 389), (TCP, 636, 636), (TCP, 3268, 3269)),
    "SMB": ((TCP, 445, 445), (TCP, 139, 139)),
    "Syslog": ((UDP, 514, 514), (TCP, 6514, 6514)),
    "Modbus": ((TCP, 502, 502),),
    "SQL Server": ((TCP, 1433, 1433), (UDP, 1434, 1434)),
    "Oracle": ((TCP, 1521, 1521),),
    "MQTT": ((TCP, 1883, 1883), (TCP, 8883, 8883)),
    "RADIUS": ((UDP, 1812, 1813),),
    "NFS": ((TCP, 2049, 2049), (UDP, 2049, 2049)),
    "etcd": ((TCP, 2379, 2380),),
    "iSCSI": ((TCP, 3260, 3260),),
    "MySQL": ((TCP, 3306, 3306),),
    "RDP": ((TCP, 3389, 3389), (UDP, 3389, 3389)),
    "VXLAN": ((UDP, 4789, 4789),),
    "SIP": ((TCP, 5060, 5061), (UDP, 5060, 5061)),
    "PostgreSQL": ((TCP, 5432, 5432),),
    "AMQP": ((TCP, 5671, 5672),),
    "VNC": ((TCP, 5900, 5903),),
    "WinRM": ((TCP, 5985, 5986),),
    "Redis": ((TCP, 6379, 6379),),
    "Kubernetes API": ((TCP, 6443, 6443),),
    "Cassandra": ((TCP, 9042, 9042),),
    "Kafka": ((TCP, 9092, 9093),),
    "Elasticsearch": ((TCP, 9200, 9200), (TCP, 9300, 9300)),
    "Memcached": ((TCP, 11211, 11211), (UDP, 11211, 11211)),
    "MongoDB": ((TCP, 27017, 27017),),
}


def add_well_known() -> list[str]:
    """Add those whose name is not there yet; what is there stays as it is. The names that were added."""
    with transaction.atomic():
        there = {name.casefold() for name in Application.objects.values_list("name", flat=True)}
        names = [name for name in WELL_KNOWN if name.casefold() not in there]
        made = Application.objects.bulk_create(Application(name=name) for name in names)
        ApplicationPort.objects.bulk_create(
            ApplicationPort(application=one, protocol=protocol, port_from=first, port_to=last)
            for one in made
            for protocol, first, last in WELL_KNOWN[one.name]
        )
        if made:
            raise_revision()
    return names
