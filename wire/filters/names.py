"""The words of the filter language: keywords, protocol numbers, named bytes and flags, as pcap-filter(7) has them."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """A set of words, written as a line of them."""
    return frozenset(text.split())


# Words that may stand alone as a term, and before host, port, proto or [...].
PROTOCOLS = words(
    "ip ip6 arp rarp sctp tcp udp icmp icmp6 igmp igrp pim vrrp carp ah esp atalk aarp decnet lat sca moprc mopdl stp "
    "ipx netbeui iso clnp esis isis l1 l2 iih lsp snp csnp psnp"
)
SYNONYMS = {"es-is": "esis", "is-is": "isis"}
LINK_WORDS = words("ether link ppp slip fddi tr wlan")  # all mean "the link layer"; printed as `ether`
DIRECTIONS = frozenset({"src", "dst", "client", "server"})
KINDS = frozenset({"host", "net", "port", "portrange"})
TAGS = {"vlan": 0xFFF, "mpls": 0xFFFFF, "pppoes": 0xFFFF, "geneve": 0xFFFFFF}  # the largest number of each
LONE_WORDS = frozenset({"pppoed", "inbound", "outbound"})
LLC_TYPES = words("i s u rr rnr rej ui ua disc test sabme xid frmr")
LOGIC = {"and": "and", "&&": "and", "or": "or", "||": "or"}
OTHER_WORDS = words("proto protochain mask less greater len length broadcast multicast vni ifindex llc not")

# Words of libpcap that this language leaves out, and what to do instead.
LEFT_OUT = {
    "gateway": "'gateway' needs names from /etc/ethers: write 'ether host MAC and not host ADDRESS'",
    "vxlan": "'vxlan' is not in this language: write 'vni N' for one network, or 'udp port 4789' for all of VXLAN",
    "byte": "'byte' is not in this language: write 'ether[N] = M'",
}
_FOREIGN = {
    "Wi-Fi": "type subtype direction dir address1 addr1 address2 addr2 address3 addr3 address4 addr4 ra ta radio",
    "ATM": "lane metac bcc oam oamf4 oamf4ec oamf4sc sc ilmic vpi vci connectmsg metaconnect",
    "pflog": "on ifname rset ruleset rnr rulenum srnr subrulenum reason action",
    "MTP": "fisu lssu lsu msu hfisu hlssu hmsu sio opc dpc sls hsio hopc hdpc hsls",
}
for _link, _names in _FOREIGN.items():
    for _name in _names.split():
        LEFT_OUT[_name] = f"'{_name}' is for {_link} captures, which are not read here"

KEYWORDS = (
    PROTOCOLS
    | SYNONYMS.keys()
    | LINK_WORDS
    | DIRECTIONS
    | KINDS
    | TAGS.keys()
    | LONE_WORDS
    | OTHER_WORDS
    | LOGIC.keys()
    | LEFT_OUT.keys()
)
SUGGESTED = KEYWORDS - LEFT_OUT.keys()

IP_PROTOCOLS = {
    "ip": 0, "icmp": 1, "igmp": 2, "ggp": 3, "ipencap": 4, "st": 5, "tcp": 6, "egp": 8, "igp": 9, "pup": 12,
    "udp": 17, "hmp": 20, "xns-idp": 22, "rdp": 27, "iso-tp4": 29, "dccp": 33, "xtp": 36, "ddp": 37,
    "idpr-cmtp": 38, "ipv6": 41, "ipv6-route": 43, "ipv6-frag": 44, "idrp": 45, "rsvp": 46, "gre": 47, "esp": 50,
    "ah": 51, "skip": 57, "ipv6-icmp": 58, "icmp6": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "rspf": 73, "vmtp": 81,
    "eigrp": 88, "ospf": 89, "ax.25": 93, "ipip": 94, "etherip": 97, "encap": 98, "pim": 103, "ipcomp": 108,
    "vrrp": 112, "carp": 112, "l2tp": 115, "isis": 124, "sctp": 132, "fc": 133, "mobility-header": 135,
    "udplite": 136, "mpls-in-ip": 137, "manet": 138, "hip": 139, "shim6": 140, "wesp": 141, "rohc": 142,
}  # fmt: skip

# Above 1535 an EtherType, below a service access point of 802.2, as `ether proto` takes both.
ETHER_PROTOCOLS = {
    "ip": 0x0800, "ip6": 0x86DD, "arp": 0x0806, "rarp": 0x8035, "atalk": 0x809B, "aarp": 0x80F3, "decnet": 0x6003,
    "lat": 0x6004, "sca": 0x6007, "mopdl": 0x6001, "moprc": 0x6002, "loopback": 0x9000, "iso": 0xFE, "stp": 0x42,
    "ipx": 0xE0, "netbeui": 0xF0,
}  # fmt: skip

ISO_PROTOCOLS = {"clnp": 0x81, "esis": 0x82, "isis": 0x83}

_ICMP = {
    "echoreply": 0, "unreach": 3, "sourcequench": 4, "redirect": 5, "echo": 8, "routeradvert": 9, "routersolicit": 10,
    "timxceed": 11, "paramprob": 12, "tstamp": 13, "tstampreply": 14, "ireq": 15, "ireqreply": 16, "maskreq": 17,
    "maskreply": 18,
}  # fmt: skip
_ICMP6 = {
    "destinationunreach": 1, "packettoobig": 2, "timeexceeded": 3, "parameterproblem": 4, "echo": 128,
    "echoreply": 129, "multicastlistenerquery": 130, "multicastlistenerreportv1": 131, "multicastlistenerdone": 132,
    "routersolicit": 133, "routeradvert": 134, "neighborsolicit": 135, "neighboradvert": 136, "redirect": 137,
    "routerrenum": 138, "nodeinformationquery": 139, "nodeinformationresponse": 140,
    "ineighbordiscoverysolicit": 141, "ineighbordiscoveryadvert": 142, "multicastlistenerreportv2": 143,
    "homeagentdiscoveryrequest": 144, "homeagentdiscoveryreply": 145, "mobileprefixsolicit": 146,
    "mobileprefixadvert": 147, "certpathsolicit": 148, "certpathadvert": 149, "multicastrouteradvert": 151,
    "multicastroutersolicit": 152, "multicastrouterterm": 153,
}  # fmt: skip
_TCP = {"fin": 0x01, "syn": 0x02, "rst": 0x04, "push": 0x08, "ack": 0x10, "urg": 0x20, "ece": 0x40, "cwr": 0x80}

# Names that stand for numbers in arithmetic.
CONSTANTS = {"icmptype": 0, "icmpcode": 1, "icmp6type": 0, "icmp6code": 1, "tcpflags": 13}
CONSTANTS |= {f"icmp-{name}": number for name, number in _ICMP.items()}
CONSTANTS |= {f"icmp6-{name}": number for name, number in _ICMP6.items()}
CONSTANTS |= {f"tcp-{name}": number for name, number in _TCP.items()}

# Protocols whose bytes `name[offset]` reads; the others of PROTOCOLS have no fixed place in a packet.
ACCESSIBLE = words(
    "ip ip6 arp rarp sctp tcp udp icmp icmp6 igmp igrp pim vrrp carp atalk decnet lat sca moprc mopdl ether"
)
