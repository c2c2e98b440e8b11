#!/usr/bin/env python3
"""A client of the native protocol, written from src/wire/PROTOCOL.md alone, with nothing but the standard library.

    native_client.py HOST PORT CA_FILE < requests > replies

Reads requests, one JSON array a line, of strings and of {"hex": "00ff"} for bytes. Sends them all in one write, then
prints the replies in the same form, one a line; a refusal as {"code": ..., "message": ...}, a map as {"map": [[k, v]]}.
"""

import json
import socket
import ssl
import struct
import sys


def header(count, fixed, fixed_limit, forms):
    """The shortest header for a count: folded into one byte, or followed by 1, 2 or 4 bytes."""
    if count < fixed_limit:
        return bytes([fixed | count])
    for limit, form, pack in forms:
        if count < limit:
            return bytes([form]) + struct.pack(pack, count)
    raise ValueError("Cannot encode a count of %d" % count)


def encode_request(words):
    parts = [header(len(words), 0x90, 16, [(1 << 16, 0xDC, ">H"), (1 << 32, 0xDD, ">I")])]
    for word in words:
        parts.append(header(len(word), 0, 0, [(1 << 8, 0xC4, ">B"), (1 << 16, 0xC5, ">H"), (1 << 32, 0xC6, ">I")]))
        parts.append(word)
    body = b"".join(parts)
    return struct.pack(">I", len(body)) + body


NUMBERS = {0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q", 0xCB: ">d"}
BYTES = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I"}
TEXT = {0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
ARRAYS = {0xDC: ">H", 0xDD: ">I"}
MAPS = {0xDE: ">H", 0xDF: ">I"}
WORDS = {0xC0: None, 0xC2: False, 0xC3: True}


class Decoder:
    """Reads MessagePack values from a frame."""

    def __init__(self, frame):
        self.frame = frame
        self.at = 0

    def take(self, length):
        if self.at + length > len(self.frame):
            raise ValueError("Cannot decode: the frame is too short")
        self.at += length
        return self.frame[self.at - length:self.at]

    def number(self, pack):
        return struct.unpack(pack, self.take(struct.calcsize(pack)))[0]

    def value(self):
        first = self.take(1)[0]
        if first < 0x80:
            return first
        if first < 0x90:
            return self.map(first & 0x0F)
        if first < 0xA0:
            return self.array(first & 0x0F)
        if first < 0xC0:
            return self.take(first & 0x1F).decode()
        if first >= 0xE0:
            return first - 0x100
        if first in WORDS:
            return WORDS[first]
        if first in NUMBERS:
            return self.number(NUMBERS[first])
        if first in BYTES:
            return {"hex": self.take(self.number(BYTES[first])).hex()}
        if first in TEXT:
            return self.take(self.number(TEXT[first])).decode()
        if first in ARRAYS:
            return self.array(self.number(ARRAYS[first]))
        if first in MAPS:
            return self.map(self.number(MAPS[first]))
        raise ValueError("Cannot decode a value that begins with 0x%02x" % first)

    def array(self, count):
        return [self.value() for _ in range(count)]

    def map(self, count):
        return {"map": [[self.value(), self.value()] for _ in range(count)]}


def decode_reply(frame):
    decoder = Decoder(frame)
    reply = decoder.value()
    if decoder.at != len(frame):
        raise ValueError("Cannot decode: %d bytes behind the reply" % (len(frame) - decoder.at))
    if reply[0] == 0:
        return reply[1]
    return {"code": reply[1], "message": reply[2]}


def receive_exactly(connection, length):
    parts = []
    while length > 0:
        part = connection.recv(min(length, 1 << 20))
        if not part:
            raise ConnectionError("Cannot read: the server closed the connection")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def main():
    host, port, ca_file = sys.argv[1:]
    context = ssl.create_default_context(cafile=ca_file)
    requests = [
        [bytes.fromhex(word["hex"]) if isinstance(word, dict) else word.encode() for word in json.loads(line)]
        for line in sys.stdin
    ]
    with socket.create_connection((host, int(port)), timeout=30) as plain:
        with context.wrap_socket(plain, server_hostname=host) as connection:
            connection.sendall(b"".join(encode_request(request) for request in requests))
            for _ in requests:
                (length,) = struct.unpack(">I", receive_exactly(connection, 4))
                print(json.dumps(decode_reply(receive_exactly(connection, length))))


if __name__ == "__main__":
    main()
