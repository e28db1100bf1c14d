"""Names of ports and the transports they belong to: IANA's service names that operators write in filters.

libpcap looks into /etc/services, which slim machines lack and which differs from one to the next; a filter has to mean
the same on every node, so this table is asked first and the machine's own only for names it does not hold.
"""

from __future__ import annotations

import socket

_TCP = (
    "tcpmux 1, netstat 15, qotd 17, ftp-data 20, ftp 21, ssh 22, telnet 23, smtp 25, whois 43, gopher 70, finger "
    "79, http 80, iso-tsap 102, pop3 110, auth 113, nntp 119, epmap 135, netbios-ssn 139, imap2 143, bgp 179, "
    "microsoft-ds 445, submissions 465, exec 512, login 513, shell 514, printer 515, klogin 543, kshell 544, "
    "afpovertcp 548, nntps 563, submission 587, ipp 631, rsync 873, ftps-data 989, ftps 990, telnets 992, imaps "
    "993, pop3s 995, socks 1080, ms-sql-s 1433, cisco-sccp 2000, cvspserver 2401, iscsi-target 3260, mysql 3306, "
    "ms-wbt-server 3389, distcc 3632, svn 3690, epmd 4369, xmpp-client 5222, xmpp-server 5269, postgresql 5432, "
    "nrpe 5666, amqps 5671, amqp 5672, x11 6000, redis 6379, syslog-tls 6514, ircd 6667, http-alt 8080, puppet "
    "8140, bacula-dir 9101, bacula-fd 9102, bacula-sd 9103, git 9418, webmin 10000, zabbix-agent 10050, "
    "zabbix-trapper 10051, nbd 10809, mongodb 27017, dicom 11112, hkp 11371 "
)
_UDP = (
    "bootps 67, bootpc 68, tftp 69, ntp 123, netbios-ns 137, netbios-dgm 138, xdmcp 177, ipx 213, ptp-event 319, "
    "ptp-general 320, isakmp 500, biff 512, who 513, syslog 514, talk 517, route 520, dhcpv6-client 546, "
    "dhcpv6-server 547, asf-rmcp 623, ms-sql-m 1434, ipsec-nat-t 4500, vxlan 4789, mdns 5353, geneve 6081 "
)
_BOTH = (
    "echo 7, discard 9, daytime 13, chargen 19, time 37, tacacs 49, domain 53, kerberos 88, sunrpc 111, snmp 161, "
    "snmp-trap 162, ldap 389, svrloc 427, https 443, kpasswd 464, rtsp 554, ldaps 636, ldp 646, domain-s 853, "
    "openvpn 1194, radius 1812, radius-acct 1813, nfs 2049, isns 3205, memcached 11211, sip 5060, sip-tls 5061 "
)


def _table(text: str, layer: str) -> dict[str, tuple[int, str]]:
    pairs = (entry.split() for entry in text.split(","))
    return {name: (int(port), layer) for name, port in pairs}


# name -> (port, "tcp" | "udp" | "" for both)
SERVICES = _table(_TCP, "tcp") | _table(_UDP, "udp") | _table(_BOTH, "")


def port_of(name: str) -> tuple[int, str] | None:
    """Port and transport of a service name, None if nobody knows it."""
    if name in SERVICES:
        return SERVICES[name]
    found = {layer: port for layer in ("tcp", "udp") if (port := _from_system(name, layer)) is not None}
    if not found:
        return None
    ports = set(found.values())
    if len(found) == 2 and len(ports) == 1:
        return ports.pop(), ""
    layer, port = next(iter(found.items()))
    return port, layer


def _from_system(name: str, layer: str) -> int | None:
    try:
        return socket.getservbyname(name, layer)
    except (OSError, UnicodeError):
        return None
