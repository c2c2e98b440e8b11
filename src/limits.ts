/**
 * Every bound of inmem, with its unit last in the name and its reason beside it.
 *
 * What exceeds a bound is refused with a typed error that names the bound; nothing else suffers.
 *
 * @module
 */

// Wire.

/** Largest native frame, length prefix excluded. Below 2^29, so that a connection's first byte tells native from RESP. */
export const FRAME_SIZE_MAX_BYTES = 128 * 1024 * 1024;
/** Largest frame before authentication: a stranger gets no memory to speak of. */
export const FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES = 16 * 1024;
/** Most arguments of one request, its name included. */
export const ARGUMENTS_MAX_COUNT = 1024 * 1024;
/**
 * Most arguments of a command that takes options rather than many keys, elements or fields, and of one that asks about the
 * server or its connections: each may take 20 µs.
 */
export const ARGUMENTS_FEW_MAX_COUNT = 256;
/**
 * Longest argument of a command on the connection or the server, such as a name, a password, a path or a pattern for
 * `config get`: reading one as text shall take no time that anybody notices.
 */
export const WORD_SIZE_MAX_BYTES = 16 * 1024;
/** Most arguments of a request of RESP before authentication, as in Redis. */
export const ARGUMENTS_UNAUTHENTICATED_MAX_COUNT = 10;
/** Longest inline command of RESP, and longest line that tells a count or a length there, as in Redis. */
export const RESP_LINE_MAX_BYTES = 64 * 1024;
/** A connection's read buffer at first: thousands of idle connections shall cost little. */
export const READ_BUFFER_INITIAL_BYTES = 1024;
/** What it grows to where clients hold much memory together. */
export const READ_BUFFER_TIGHT_BYTES = 4 * 1024;
/** What it grows to when a peer sends more at a time: one read takes what a socket typically holds. */
export const READ_BUFFER_BATCH_BYTES = 64 * 1024;
/**
 * What all clients of a role may have sent behind commands that wait, beside a batch of each, in bytes. It is kept, since the
 * end of a connection is read behind it; who sends more is cut off.
 */
export const READ_AHEAD_MAX_BYTES = 64 * 1024 * 1024;
/** One read takes no more than this, so that reading its arguments takes about a millisecond. */
export const READ_MAX_BYTES = 512 * 1024;
/** A read of so much may be followed by another one at once, without a turn of the event loop between them. */
export const READ_LARGE_BYTES = 16 * 1024;
/** A connection's buffer of replies at first; it doubles as needed. */
export const REPLY_BUFFER_INITIAL_BYTES = 1024;
/**
 * Longer replies are collected in chunks of this size. From 64 KiB to 4 MiB all are as fast; smaller ones make more of
 * them, and larger ones take longer to get from the system.
 */
export const REPLY_CHUNK_BYTES = 512 * 1024;
/** A connection's buffer above this size is given back once it is empty. */
export const BUFFER_KEEP_MAX_BYTES = 1024 * 1024;
/** Replies collected beyond this are written before the next command of the batch runs. */
export const REPLY_FLUSH_BYTES = 256 * 1024;
/** Of the replies of one read batch that much is written, then others get their turn, however fast the client reads: 2 ms. */
export const REPLY_BURST_BYTES = 4 * 1024 * 1024;
/** Largest reply to one command. Past it the command is answered with an error. */
export const REPLY_SIZE_MAX_BYTES = 1024 * 1024 * 1024;
/** Deepest nesting a decoder of ours follows. */
export const NESTING_MAX_DEPTH = 32;

// Connections.

/** A TLS handshake not finished by then is cut off. */
export const HANDSHAKE_TIMEOUT_MS = 5_000;
/**
 * A listener that was replaced, because the certificate was, accepts for so long those whose first packets were on their way
 * to it: three retransmissions of a packet that was lost.
 */
export const LISTENER_REPLACED_MS = 7_000;
/** TLS handshakes at once; a connection beyond that is closed without a word. */
export const HANDSHAKES_MAX_COUNT = 4_096;
/** A connection that has to authenticate and has not by then is cut off. */
export const AUTHENTICATION_TIMEOUT_MS = 5_000;
/** Wrong passwords of one address of late that are answered at once: people mistype. */
export const FAILED_LOGINS_FREE_COUNT = 3;
/** The next one's refusal is held back for this long, that of each further one for twice as long, … */
export const FAILED_LOGIN_DELAY_MIN_MS = 50;
/** … and at most for this long. */
export const FAILED_LOGIN_DELAY_MAX_MS = 1_000;
/** After this time an address's wrong passwords count half. */
export const FAILED_LOGIN_HALF_LIFE_MS = 30_000;
/** A connection ends with so many wrong passwords. */
export const FAILED_LOGINS_MAX_COUNT = 10;
/** Addresses of wrong passwords that are remembered. */
export const FAILING_ADDRESSES_MAX_COUNT = 1_024;
/** At most one line of the log is about one address in such a time, … */
export const FAILED_LOGIN_REPORT_INTERVAL_MS = 10_000;
/** … and at most so many in a row are about all addresses, and one more after each such time. */
export const FAILED_LOGIN_REPORTS_MAX_COUNT = 20;
/** Lines of the log about one admin command in a row; … */
export const ADMIN_REPORTS_MAX_COUNT = 20;
/** … then there is one more after each such time. */
export const ADMIN_REPORT_INTERVAL_MS = 1_000;
/** Characters of an admin command that are logged. */
export const ADMIN_WORDS_MAX_LENGTH = 256;
/** A frame that was begun and is not whole by then costs its sender the connection. */
export const PARTIAL_FRAME_TIMEOUT_MS = 30_000;
/** A frame under way gets more time as it grows, so that large ones come through slow links. */
export const PARTIAL_FRAME_MIN_BYTES_PER_MS = 64;
/** After a last error reply, how long a connection's input is still read, so that the reply is not lost to a reset. */
export const LINGER_TIMEOUT_MS = 2_000;
/** Connections beyond the limit that are told so at a time; more are closed without a word. */
export const REJECTED_CLIENTS_MAX_COUNT = 64;
/** How often deadlines of connections are looked at: one timer for all of them. */
export const CONNECTION_SWEEP_INTERVAL_MS = 1_000;
/** A peer that takes no byte of its replies for this long is cut off. */
export const WRITE_TIMEOUT_MS = 30_000;
/** How long an outgoing connection may take until its handshake is done. */
export const CONNECT_TIMEOUT_MS = 3_000;
/** An address of a name that does not answer for this long lets the next one be tried beside it (RFC 8305: 250 ms). */
export const CONNECT_ATTEMPT_DELAY_MS = 250;
/** IPv4 addresses that are known first wait so long for those of IPv6 (RFC 8305: 50 ms). */
export const CONNECT_FAMILY_DELAY_MS = 50;
/** Addresses of one name that are tried. */
export const ADDRESSES_OF_NAME_MAX_COUNT = 64;
/** Addresses of one name that an error names, each with its reason. */
export const ADDRESSES_TOLD_MAX_COUNT = 8;
/**
 * Lookups under way, two a name. Each takes one of 32 threads, which files need as well, for 10 s if no name server answers.
 */
export const LOOKUPS_MAX_COUNT = 16;
/** Names that wait to be looked up. */
export const LOOKUPS_WAITING_MAX_COUNT = 2_048;
/** A name whose lookup takes so long shares half of the places with others of the kind from then on. */
export const LOOKUP_SLOW_MS = 1_000;
/** How long a backend may be silent while it owes a reply before its connection is given up. */
export const BACKEND_TIMEOUT_MS = 10_000;
/** Largest reply to what the proxy asks first on a connection. */
export const GREETING_REPLY_MAX_BYTES = 64 * 1024;
/** A backend that is silent for this long while it owes a reply is asked whether it is there. */
export const BACKEND_SUSPECT_MS = 500;
/**
 * How long it has to answer that, on a connection of its own, counted from its last sign of life on any connection; else
 * requests for it fail at once until it answers. Whether others get its slots is another question (`REMAP_SILENT_MS`).
 */
export const BACKEND_PROBE_TIMEOUT_MS = 1_000;
/** A backend that owes nothing, and from which nothing has come for this long, is asked whether it is there. */
export const BACKEND_CHECK_INTERVAL_MS = 1_000;
/** A failed accept is repeated after this, then after twice as long, and so on: out of descriptors, each one fails. */
export const ACCEPT_RETRY_MIN_MS = 5;
/** Longest wait between two tries to accept. */
export const ACCEPT_RETRY_MAX_MS = 1_000;
/** Peers in a row that were gone before they were accepted; after so many there is a pause, in case it is no peer's fault. */
export const LOST_IN_A_ROW_MAX_COUNT = 16;
/** One line of the log tells of failed accepts in such a time, and how many there were. */
export const ACCEPT_REPORT_INTERVAL_MS = 10_000;
/** Connections given up are freed together this much later: finding their descriptors takes milliseconds. */
export const ABORT_DELAY_MS = 50;
/** Looking for a descriptor ends after this many numbers that are no sockets: about 2 ms. */
export const DESCRIPTOR_GAP_MAX_COUNT = 8_192;
/**
 * Looking for the descriptor of a client ends so many numbers behind the last connection that is known: descriptors are
 * handed out lowest first, so it is not far behind. Whoever is not found, as one that was reset is not, costs this much.
 */
export const PEER_GAP_MAX_COUNT = 256;
/** Descriptors that a role keeps for itself: about 30 that the runtime has open, and the log's and a snapshot's files. */
export const OWN_DESCRIPTORS_COUNT = 40;
/** Connections to a server beside those that clients share: probes, channels, one more protocol. */
export const SERVER_EXTRA_CONNECTIONS_COUNT = 4;
/** Connections beyond the clients' that may be told that they are too many, or be on their way out: an eighth, but as many … */
export const SPARE_CONNECTIONS_MIN_COUNT = 4;
/** … at least, and so many at most. */
export const SPARE_CONNECTIONS_MAX_COUNT = 128;
/** Clients at once, unless `--max-clients` says otherwise. */
export const CLIENTS_DEFAULT_COUNT = 10_000;
/** Most clients that `--max-clients` may ask for. */
export const CLIENTS_MAX_COUNT = 1_000_000;
/**
 * What a connection costs while it holds nothing: its objects, a read buffer, and what the system's TLS keeps. It is told, but not
 * charged to the memory of clients.
 */
export const CLIENT_FIXED_BYTES = 24 * 1024;
/**
 * What a name (a channel, a pattern, a watched key) costs beside its bytes: its string, its places in the tables of the
 * client and of the server, and the set of those who share it.
 */
export const NAME_OVERHEAD_BYTES = 600;
/** Share of `--max-memory` (for a proxy, of the machine's memory) that all clients may hold together by default. */
export const CLIENT_MEMORY_DEFAULT_SHARE = 0.25;
/** The default is no less than this, so that the largest request fits. */
export const CLIENT_MEMORY_DEFAULT_MIN_BYTES = 64 * 1024 * 1024;
/** The default is no more than this: beyond it clients hold garbage, not work. */
export const CLIENT_MEMORY_DEFAULT_MAX_BYTES = 1024 * 1024 * 1024;
/**
 * What a connection takes of a small container's memory while it holds nothing: {@linkcode CLIENT_FIXED_BYTES}, and the heap's
 * garbage beside it. 2,000 idle ones over TLS took 34.7 KB each.
 */
export const CONNECTION_MEMORY_BYTES = 36 * 1024;
/** Share of a container's or machine's memory that is left for clients by default, whatever data would take. */
export const CLIENTS_MEMORY_MIN_SHARE = 0.125;
/** Share of what is left for clients that their connections alone may take; the rest is for what they hold. */
export const CONNECTIONS_MEMORY_MAX_SHARE = 0.4;
/** Smallest `--max-client-memory`: the buffers of a few busy clients. */
export const CLIENT_MEMORY_MIN_BYTES = 1024 * 1024;
/** Largest `--max-client-memory`. */
export const CLIENT_MEMORY_MAX_BYTES = 1024 * 1024 * 1024 * 1024;
/** Share of the engine's heap that objects of all clients may take: a full heap aborts the process. */
export const CLIENT_HEAP_SHARE = 0.35;
/** A reply to one command up to this size is never refused: the command may have changed something already. */
export const REPLY_UNREFUSED_MAX_BYTES = 64 * 1024;
/**
 * A buffer from this size on is returned to the system at once when it is freed. A request may go on borrowing a read buffer
 * that is no larger than a batch, so those are left to the garbage collector.
 */
export const FREED_AT_ONCE_MIN_BYTES = READ_BUFFER_BATCH_BYTES + 4 * 1024;
/**
 * The same for a buffer that nobody borrows, such as one of replies. For smaller ones it is not worth a call: left to the
 * garbage collector, tens of megabytes of them are there before it looks, which a small container does not have.
 */
export const FREED_UNBORROWED_MIN_BYTES = 16 * 1024;
/** Freed buffers of more than this together are not left for later turns of the event loop. */
export const FREED_QUEUE_MAX_BYTES = 256 * 1024 * 1024;
/** Buffers for chunks of long replies that are kept for the next reply: to touch fresh memory takes ten times as long as to fill it. */
export const SPARE_CHUNKS_MAX_COUNT = 8;
/** Lines of the log about clients that were refused memory or closed, in a row; … */
export const CLIENT_MEMORY_REPORTS_MAX_COUNT = 20;
/** … then there are as many more after this time. */
export const CLIENT_MEMORY_REPORT_INTERVAL_MS = 10_000;
/** Longest `--timeout` of the client: a day. */
export const TIMEOUT_MAX_MS = 86_400_000;
/** How long a role waits for clients to finish when it is told to stop. */
export const SHUTDOWN_GRACE_MS = 5_000;
/** Bytes of requests that the proxy holds for one backend connection before it stops reading clients of it. */
export const BACKEND_QUEUE_MAX_BYTES = 8 * 1024 * 1024;
/** Requests for a backend are collected in buffers of this size, so that no step copies more than that. */
export const BACKEND_BATCH_MAX_BYTES = 1024 * 1024;
/** Frames of this size or more pass through the proxy in buffers of their own, and are copied in steps if at all. */
export const LONG_FRAME_BYTES = 1024 * 1024;
/** Long output to a backend is written in pieces of this size, so that its progress can be seen. */
export const BACKEND_WRITE_BYTES = 256 * 1024;
/** A piece that was not taken for this long and then was: the backend is reading, since the system takes one at once. */
export const BACKEND_WRITE_WAIT_MS = 20;
/** About how much of a long output the systems and relays on the way may still hold once all of it was written. */
export const BACKEND_TRANSIT_BYTES = 8 * 1024 * 1024;
/** A backend that takes a long output slowly is given time for what is left at the same pace, but at most this much. */
export const BACKEND_PACE_MAX_MS = 10_000;
/** Requests of one proxy client in flight before the proxy stops reading it. */
export const PROXY_IN_FLIGHT_MAX_COUNT = 16 * 1024;
/** Bytes of replies that the proxy holds or expects for one client before it stops reading it. */
export const CLIENT_BACKLOG_MAX_BYTES = 4 * 1024 * 1024;
/** The same where clients hold much memory together. */
export const CLIENT_BACKLOG_TIGHT_BYTES = 1024 * 1024;
/** Requests of one proxy client in flight before the proxy stops reading it, where clients hold much memory together. */
export const PROXY_IN_FLIGHT_TIGHT_COUNT = 1024;
/**
 * Bytes of replies that the proxy holds for one client, the last one not counted; past it reads are refused, and a write
 * with a long reply costs the connection. Where sizes are as expected it is not reached, since the proxy stops reading
 * such a client long before.
 */
export const CLIENT_REPLIES_MAX_BYTES = 512 * 1024 * 1024;
/** How large the proxy takes a client's next reply to be, until it has seen some. */
export const CLIENT_REPLY_ESTIMATE_BYTES = 16 * 1024;
/** How often the proxy looks for replies that are overdue. Deadlines are that much less exact. */
export const BACKEND_SWEEP_INTERVAL_MS = 100;
/**
 * A server from which nothing has come for this long, asked several times whether it is there, is listened to on another
 * connection. Longer than for requests: messages are lost with the connection, and a busy server sends them when it is done.
 */
export const CHANNEL_LINK_SILENCE_MAX_MS = 60_000;
/** A server that was lost is tried again after this, then after twice as long, and so on. */
export const BACKEND_RETRY_MIN_MS = 100;
/** Longest wait between two tries. */
export const BACKEND_RETRY_MAX_MS = 2_000;
/** Lines of a proxy's log about one server, in a row; … */
export const SERVER_REPORTS_MAX_COUNT = 12;
/** … beyond them there is one more after each such time. */
export const SERVER_REPORT_INTERVAL_MS = 10_000;
/** A server that is gone for less than this keeps its slots: what it has is worth more than a moment's requests. */
export const REMAP_DELAY_MS = 500;
/**
 * A server that is silent, but not known to be gone, keeps its slots for this long: it may be busy, or stopped for a moment,
 * and has all its keys then. No pause of a healthy process should last longer.
 */
export const REMAP_SILENT_MS = 10_000;
/** A server that could not be flushed of slots, so as to serve them in the place of another, is tried again after this. */
export const REMAP_RETRY_MS = 1_000;
/** How long latencies of a backend are counted together; those told are of one to two such windows. */
export const TRAFFIC_WINDOW_MS = 10_000;
/** Requests a second to a backend are told over this many intervals of {@linkcode TRAFFIC_MARK_INTERVAL_MS}. */
export const TRAFFIC_MARKS_COUNT = 5;
/** See {@linkcode TRAFFIC_MARKS_COUNT}. */
export const TRAFFIC_MARK_INTERVAL_MS = 1_000;
/** Keys and memory of a backend are asked for anew when what is known is older than this. */
export const SERVER_STATS_FRESH_MS = 1_000;
/** Older answers are shown to nobody. */
export const SERVER_STATS_MAX_AGE_MS = 10_000;
/** How long `inmem client cluster` waits for answers of all servers. */
export const SERVER_STATS_WAIT_MS = 1_000;
/** Replies wait for others to requests that came with theirs for one to two such times: then what there is is written. */
export const REPLY_HOLD_MS = 1;
/** Replies beyond this wait for no others. */
export const REPLY_HOLD_MAX_BYTES = 64 * 1024;
/**
 * Requests in flight, each 512 bytes counted as one more, from which a pooled connection is busy, so that another is opened.
 * A server runs one command after another whatever the connection, and fewer connections mean larger batches: with 50
 * clients the proxy needs a third more processor time for each command at 64 than at 512, and a tenth more at 512 than here.
 */
export const PIPELINE_BUSY_LOAD = 4_096;
/**
 * A pooled connection that has had nothing to do for this long is closed, unless it is the last one of its protocol: what a
 * burst has opened does not stay. mcrouter and nginx take as long.
 */
export const BACKEND_IDLE_MS = 60_000;
/**
 * The last one is kept for longer, since the next request would have to wait for a handshake. Not for ever: load balancers and
 * firewalls forget a silent connection without a word after 4 to 6 minutes, and a request on it would wait for its deadline.
 */
export const BACKEND_LAST_IDLE_MS = 180_000;
/** Pooled connections a backend, unless `--conns` says otherwise. */
export const POOL_CONNECTIONS_DEFAULT_COUNT = 10;
/** Most pooled connections a backend that `--conns` may ask for. */
export const POOL_CONNECTIONS_MAX_COUNT = 1_000;

/** Connections to one backend that are lent to single proxy clients, for what waits or watches; more are refused. */
export const DEDICATED_CONNECTIONS_MAX_COUNT = 1_000;
/** Connections given back that are kept for the next client that needs one. */
export const DEDICATED_IDLE_MAX_COUNT = 16;
/** How long they are kept. */
export const DEDICATED_IDLE_MAX_MS = 10_000;

// Data.

/** Longest key. Keys are kept whole beside the entry's header, inside one page. */
export const KEY_SIZE_MAX_BYTES = 32 * 1024;
/** Longest field of a hash, which is kept as a key is. */
export const FIELD_SIZE_MAX_BYTES = KEY_SIZE_MAX_BYTES;
/** Longest value of a string, and longest message of a channel. */
export const VALUE_SIZE_MAX_BYTES = 64 * 1024 * 1024;
/**
 * Longest element of a list, and value of a hash's field. Unlike a string it is stored in one step, and moved in two: 64 MiB
 * would take 60 to 140 ms.
 */
export const ELEMENT_SIZE_MAX_BYTES = 16 * 1024 * 1024;
/** Most elements of one list and fields of one hash. */
export const ELEMENTS_MAX_COUNT = 2 ** 32 - 1;
/** What the proxy makes for each queued request when `exec` sends it: a place for its reply. */
export const QUEUED_REQUEST_BYTES = 256;
/** Queued requests are kept in chunks of this size at most, so that no growth copies what is queued already. */
export const QUEUE_CHUNK_MAX_BYTES = 1024 * 1024;
/** The first chunk of a queue: most transactions are of a few short commands. */
export const QUEUE_CHUNK_INITIAL_BYTES = 512;
/**
 * A client that waits and has sent more than was read is served in a later turn of the event loop, since its end may be behind
 * that; after so many turns it is served all the same, for others may wait behind it. Each turn takes 64 KiB or more.
 */
export const BLOCKING_PUT_OFF_MAX_COUNT = 64;
/** A server that did not find the connection which it was asked to unblock waiting is asked again after this. */
export const UNBLOCK_RETRY_MS = 2;
/** How long a proxy that stops waits for servers to give up what clients that have gone waited for. */
export const ABANDONED_WAITS_GRACE_MS = 1_000;

/** What the proxy keeps, beside its bytes, of a reply of its own that is to be joined with those of a server. */
export const OWN_REPLY_BYTES = 384;
/**
 * Most arguments of one command between `multi` and `exec`, its name included. The server takes 3 ms to queue such a
 * command, and as long to read it back.
 */
export const TRANSACTION_ARGUMENTS_MAX_COUNT = 64 * 1024;
/** What a client may queue between `multi` and `exec`, in bytes. */
export const TRANSACTION_MAX_BYTES = 128 * 1024 * 1024;
/** Keys that one command may wait for: each takes 2 µs when the wait begins, and when it ends. */
export const BLOCKING_KEYS_MAX_COUNT = 2_048;
/** Keys that one client may watch: `exec` looks at each of them, which takes half a microsecond. */
export const WATCHED_KEYS_MAX_COUNT = 4_096;
/** Longest time that a command may wait for an element: what a timer can be set to, 24 days. Longer is for ever. */
export const BLOCKING_TIMEOUT_MAX_MS = 2 ** 31 - 1;
/** Longest name of a channel: the proxy finds its server as that of a key. */
export const CHANNEL_SIZE_MAX_BYTES = KEY_SIZE_MAX_BYTES;
/**
 * Messages of channels that may wait for a client when one more comes, the largest one and 32 MiB; a client that has more
 * waiting does not keep up and is cut off, as by Redis. The message that comes does not count, nor do those that came with it:
 * no client could have read them yet.
 */
export const MESSAGES_MAX_BYTES = VALUE_SIZE_MAX_BYTES + 32 * 1024 * 1024;
/**
 * The same for a client that is to be kept (`client no-evict on`), as a proxy asks for the connection on which it listens for
 * all of its clients: there a moment's delay must not cost all of them messages.
 */
export const MESSAGES_KEPT_MAX_BYTES = 256 * 1024 * 1024;
/** Lines of the log about clients that were cut off since they do not read, in a row; … */
export const CUT_REPORTS_MAX_COUNT = 20;
/** … beyond them there is one more after each such time, which tells how many there were. */
export const CUT_REPORT_INTERVAL_MS = 5_000;
/** Longest `debug sleep`: meanwhile the server hears nothing, not even that it is to stop. */
export const DEBUG_SLEEP_MAX_MS = 60_000;
/** Longest name of a connection. */
export const CLIENT_NAME_MAX_BYTES = 1024;
/** Longest glob pattern. Matching takes a step for each byte of a key and each 32 bytes of a pattern: 1.5 ms at most. */
export const PATTERN_SIZE_MAX_BYTES = 1024;
/** Keys that one `scan` looks at, unless COUNT says otherwise. */
export const SCAN_COUNT_DEFAULT = 10;
/** Most keys that one `scan` looks at, whatever COUNT says: it must not hold up other clients. */
export const SCAN_COUNT_MAX = 10_000;
/** One `scan` ends once the keys it found are longer than this in all. */
export const SCAN_REPLY_MAX_BYTES = 1024 * 1024;
/**
 * One `scan` ends once it has taken this many steps: with long keys, or a pattern that takes long. A step is about a
 * nanosecond, and two or three where millions of keys are in no cache: 2 ms at most, where 1,500,000 steps took 6.
 */
export const SCAN_STEPS_MAX_COUNT = 800_000;
/** Keys that one `flushslots` looks at; removing all of them takes about 1 ms. */
export const FLUSH_SLOTS_VISITS_MAX_COUNT = 1_000;
/** One `flushslots` ends once the keys that it has looked at are longer than this in all. */
export const FLUSH_SLOTS_VISITS_MAX_BYTES = 512 * 1024;

// Store. What things take of the memory limit, in bytes; each size is rounded up to the next of the allocator's classes, 8
// apart up to 128, then at most 7 %. The files of src/store draw the layouts.
//
//   index            64 for every 7.5 keys on average (5.3 to 10.7 a key); the same for fields of large hashes
//   string           16 + key + value;  36 + key + value with a deadline, or 20 + … above 255 B of value
//   list, hash       24 + key (+ 16 with a deadline) + packed: 2 + length an element, 1 + length a field and 1 + a value
//   large list       28 + key, and leaves: 24 for each 2 KiB, 2 + length an element
//   large hash       36 + key, and an entry for each field: 28 + field + value
//   large value      16 for each 64 KiB, and up to an eighth of its last 64 KiB
//
// Beside the limit the allocator's account takes 24 bytes for each 64 KiB, and the runtime about 70 MB.

/** Largest block that shares a page with others economically; what is longer is cut into pieces of up to 64 KiB. */
export const BLOCK_SHARED_MAX_BYTES = 8192;
/** Largest run of a packed list or hash; beyond it they become large ones. Moving its tail costs no more than a look-up. */
export const PACKED_MAX_BYTES = 512;
/** Largest element, field or value in a packed list or hash: their length shall take one byte. */
export const PACKED_ELEMENT_MAX_BYTES = 64;
/** A list's leaf begins with this, or what its first element takes. */
export const LEAF_INITIAL_BYTES = 512;
/** A leaf that is full at this size is followed by another one. Reaching an element walks over half of it on average. */
export const LEAF_MAX_BYTES = 2048;
/** A leaf may grow to this when elements are replaced by longer ones; then they go outside. */
export const LEAF_REPLACED_MAX_BYTES = 4096;
/** Longer elements of a list lie outside of its leaves. */
export const ELEMENT_INLINE_MAX_BYTES = 1024;
/** A directory that has as many leaves is followed by another one. Reaching an element walks over half of them at worst. */
export const DIRECTORY_LEAVES_MAX_COUNT = 256;
/** A removed list or hash of more elements than this is freed in steps. */
export const FREED_AT_ONCE_MAX_COUNT = 64;
/** Parts of large removed values that are freed at a time while room is made for a command. */
export const FREEING_STEPS_COUNT = 64;
/** Keys whose memory is fetched together: enough to hide one wait behind the others, and no more than the first cache holds. */
export const PREFETCH_MAX_COUNT = 32;
/**
 * Fewer keys are not fetched ahead: they are in a cache near enough. Among 100,000 keys looking ahead takes a tenth more of a
 * machine at rest, and a fifth less where others use the shared cache as well.
 */
export const PREFETCH_KEYS_MIN_COUNT = 50_000;
/**
 * Latest deadline, in ms since 1970: the last number below 2^63, since Redis takes times of 64 bits. Those beyond 2^53 ms, in
 * the year 287396, are rounded to the nearest number.
 */
export const DEADLINE_MAX_MS = 2 ** 63 - 1024;
/** Smallest memory limit: below it the fixed parts of the store leave no room for data. */
export const MEMORY_LIMIT_MIN_BYTES = 4 * 1024 * 1024;
/** Largest memory limit: references are 32 bits wide and count units of 8 bytes. */
export const MEMORY_LIMIT_MAX_BYTES = 32 * 1024 * 1024 * 1024;
/** The arena has huge pages beyond this: for less they gain little, and a small store shall not take more than it uses. */
export const HUGE_PAGES_FROM_BYTES = 512 * 1024 * 1024;
/** Huge pages are made ready this far ahead: loading at 100 MB/s uses it up in 160 ms. */
export const HUGE_PAGES_AHEAD_BYTES = 16 * 1024 * 1024;
/** How often expired keys are looked for while data changes. */
export const EXPIRY_INTERVAL_MS = 100;
/** The same while nothing changes and nothing will be due: each time costs the runtime some 0.3 ms of CPU time. */
export const EXPIRY_IDLE_INTERVAL_MS = 500;
/** Commands that take long, such as `keys`, run for this long at a time, then other commands get their turn. */
export const SLICE_MS = 2;
/**
 * A command of more arguments than this goes on in steps, so that others run between them: each argument may take half a
 * microsecond.
 */
export const LONG_ARGUMENTS_COUNT = 512;
/** So does one that looks at more elements or fields of one value than this. */
export const LONG_ITEMS_COUNT = 4096;
/** So does one that copies more than this. */
export const LONG_BYTES = 256 * 1024;
/**
 * So does a reply of several values once it is this long: many clients may ask for one in the same turn of the event loop, and
 * what each gets at once adds up.
 */
export const REPLY_AT_ONCE_BYTES = 64 * 1024;
/** A value longer than this is stored in steps. */
export const LONG_VALUE_BYTES = 1024 * 1024;
/** Elements or fields that are looked at in one step, and keys that are: 50 to 100 µs. */
export const STEP_ITEMS_COUNT = 1024;
/** See {@linkcode STEP_ITEMS_COUNT}. */
export const STEP_KEYS_COUNT = 128;
/** Bytes that are copied in one step. */
export const STEP_BYTES = 256 * 1024;
/** The requests of one read batch run for this long, then other connections get their turn, … */
export const BATCH_MAX_MS = 4;
/** … and for this long at least, where batches of other connections have taken long in the same turn. */
export const BATCH_MIN_MS = 0.5;
/** Requests of one batch that run between two looks at the clock. */
export const BATCH_CLOCK_COUNT = 16;
/** After a request of this size or more the proxy looks at the clock at once: it was copied. */
export const BATCH_CLOCK_BYTES = 64 * 1024;
/** Expired keys are removed for this long at a time, then commands get their turn. */
export const EXPIRY_SLICE_MS = 2;
/** Large values that were removed are freed for this long at a time, then commands get their turn. */
export const FREEING_SLICE_MS = 0.8;
/** Expired keys, or parts of large values, that go between two looks at the clock. */
export const RECLAIM_STEPS_COUNT = 200;
/** Share of the container's or machine's memory for data unless `--max-memory` is given; the rest is the runtime's. */
export const MEMORY_LIMIT_DEFAULT_SHARE = 0.75;
/**
 * What the process takes beside data and clients: the program, the engine's heap with its garbage, and a snapshot's buffers, as
 * measured in control groups of 128 to 512 MB under load.
 */
export const RUNTIME_MEMORY_BYTES = 100 * 1024 * 1024;
/** Smallest container or machine for a proxy: 60 clients that do not read replies of 100 kB took it to 98 MB. */
export const PROXY_MEMORY_MIN_BYTES = 120 * 1024 * 1024;
/** In a small container a snapshot's queue, and that of freed buffers, are bounded by this share of its memory, … */
export const QUEUE_MEMORY_SHARE = 1 / 64;
/** … but not by less than this. */
export const QUEUE_MEMORY_MIN_BYTES = 4 * 1024 * 1024;
/** Largest file of the system that is read, such as the list of mounts. */
export const SYSTEM_FILE_MAX_BYTES = 4 * 1024 * 1024;
/** Longest `--default-ttl`: a hundred years, so that no sum with the present passes the latest deadline. */
export const DEFAULT_TTL_MAX_MS = 100 * 365 * 86_400_000;

// Disk.

/** How often written batches are synced with `--fsync everysec`. */
export const LOG_SYNC_INTERVAL_MS = 1_000;
/** How often a server looks whether its data folder is still the one that it has opened. */
export const PLACE_LOOK_INTERVAL_MS = 500;
/** The same while it writes, unless it looks before each reply: two calls of the system, about 5 µs. */
export const PLACE_LOOK_WRITING_MS = 20;
/** A sync that takes longer than this holds up replies, so that no more is at risk meanwhile. */
export const LOG_SYNC_LAG_MAX_MS = 2_000;
/** A batch that could not be written is tried again after this. */
export const LOG_RETRY_MS = 100;
/** Whoever waits for a batch that cannot be written is cut off after this: it cannot be said whether it was done. */
export const LOG_HOLD_MAX_MS = 10_000;
/** The same while the data folder is gone, which seldom comes back by itself. */
export const PLACE_HOLD_MAX_MS = 1_500;
/** Batches that cannot be written are kept up to this size; beyond it only a snapshot sets things right. */
export const LOG_UNWRITTEN_MAX_BYTES = 64 * 1024 * 1024;
/** Effects are made a batch once they take this much, though more commands are to come. */
export const LOG_BATCH_BYTES = 1024 * 1024;
/** So much of the log is written in one step: longer batches take several, between which commands run. 4 MiB take 1 to 2 ms. */
export const LOG_WRITE_BYTES = 4 * 1024 * 1024;
/** A buffer of effects that has grown beyond this is given back. */
export const LOG_BUFFER_KEEP_MAX_BYTES = 4 * 1024 * 1024;
/** Logs and snapshots are read in pieces of this size. */
export const LOG_READ_BYTES = 1024 * 1024;
/** A log smaller than this does not by its growth cause a snapshot. */
export const SNAPSHOT_GROWTH_MIN_BYTES = 64 * 1024 * 1024;
/** Largest `--snapshot-growth`, in percent. */
export const SNAPSHOT_GROWTH_MAX_PERCENT = 1_000_000;
/** Longest `--snapshot-interval`: a year. */
export const SNAPSHOT_INTERVAL_MAX_MS = 365 * 86_400_000;
/** A snapshot that failed is tried again after this, where there is still a reason for it. */
export const SNAPSHOT_RETRY_MS = 2_000;
/** Snapshots kept in the data folder. */
export const SNAPSHOTS_KEPT_COUNT = 2;
/**
 * A snapshot's block is written once it holds this much; a larger record stands in a block of its own. With blocks of 256 KiB
 * one request in a thousand waits twice as long, since the thread that writes them needs a core as well.
 */
export const SNAPSHOT_BLOCK_BYTES = 64 * 1024;
/** A step of a snapshot covers so much of a value, and the elements or fields below, at most; large values take several. */
export const SNAPSHOT_PART_BYTES = 64 * 1024;
/** Elements or fields of one step. */
export const SNAPSHOT_PART_ITEMS = 256;
/** A block is written in pieces of this size: a thread that copies more at a time may hold up the one that runs commands. */
export const SNAPSHOT_WRITE_BYTES = 32 * 1024;
/** Blocks of a snapshot that the disk has not taken yet; the walk waits while there are more. */
export const SNAPSHOT_QUEUE_BYTES = 2 * 1024 * 1024;
/** A snapshot fails when the effects of commands alone make its queue longer than this: the disk is too slow for both. */
export const SNAPSHOT_QUEUE_MAX_BYTES = 64 * 1024 * 1024;
/** A snapshot under way is synced each time it has grown by this, so that the log's syncs never wait for all of it. */
export const SNAPSHOT_SYNC_BYTES = 16 * 1024 * 1024;
/** A snapshot covers keys for this long at a time, … */
export const SNAPSHOT_SLICE_MS = 0.15;
/**
 * … then commands have this long. 5 million keys take 9 s so; twice as fast, one request in a thousand would wait three times
 * as long as without a snapshot, mostly for the disk.
 */
export const SNAPSHOT_GAP_MS = 2;
/** When nobody has used a key for so many slices, they last up to `SNAPSHOT_SLICE_MAX_MS`, with no gap to speak of. */
export const SNAPSHOT_IDLE_TURNS_COUNT = 20;
/** A slice looks at so many times as many keys as commands have used since its last turn, so that it comes to an end, … */
export const SNAPSHOT_LOOK_FACTOR = 2;
/** … but lasts no longer than this. */
export const SNAPSHOT_SLICE_MAX_MS = 2;
/** A long load from disk tells how far it has come from this on, and how often. */
export const LOAD_PROGRESS_INTERVAL_MS = 1_000;

// Cluster.

/** Slots that keys hash to, as in Redis Cluster. */
export const SLOTS_COUNT = 16_384;
/** Most servers of one `servers.json`. */
export const SERVERS_MAX_COUNT = 1_024;
/** Largest `servers.json`. */
export const SERVERS_FILE_MAX_BYTES = 1024 * 1024;
/** A weight's range in `servers.json` is 1 to this; a missing weight is 1. */
export const WEIGHT_MAX = 1_000_000;
/** A list that is of no use is reported when it stays the same for this long. */
export const MEMBERS_FAULT_MS = 100;
/** `servers.json` is looked at this often. It takes about 0.1 % of a core. */
export const MEMBERS_POLL_MS = 250;

// Files that are followed.

/** Changes of a watched folder closer together than this are read once. */
export const FOLLOWER_DEBOUNCE_MS = 100;
/**
 * A content that is of no use is read again after this, since it may be half of one being written. It is a prime number, so as
 * not to keep in step with whoever writes at regular intervals.
 */
export const FOLLOWER_RETRY_MS = 37;
/** One that was reported is read again this often, though nothing has changed: the reason may have gone. */
export const FOLLOWER_FAULT_INTERVAL_MS = 2_000;
/** What was changed in this time is read again when it is looked at: the times of files are coarse, up to 2 s. */
export const FOLLOWER_RECENT_MS = 3_000;
/** So many contents that are of no use are reported one after another, … */
export const FOLLOWER_REPORTS_MAX_COUNT = 5;
/** … and then one after each such time. */
export const FOLLOWER_REPORT_INTERVAL_MS = 10_000;
/** Certificates and passwords are looked at this often: a change is to be seen within 2 s. It takes 0.08 % of a core. */
export const SECRETS_POLL_MS = 1_000;
/** Those of no use are reported when they stay the same for this long: a certificate and its key are seldom written at once. */
export const SECRETS_FAULT_MS = 500;
/** Dates of certificates are compared with the clock this often, and when the next is due. */
export const EXPIRY_CHECK_INTERVAL_MS = 3_600_000;
/** So many days before a certificate expires the log warns of it. */
export const EXPIRY_WARNING_DAYS: readonly number[] = [30, 7, 1];

// Client.

/** Longest line of the interactive and the piped client. */
export const LINE_SIZE_MAX_BYTES = 128 * 1024 * 1024;
/** How long the client waits for the reply to a request, unless told otherwise. 0 is for ever. */
export const REQUEST_TIMEOUT_DEFAULT_MS = 30_000;
/** How long a client that waits for a command such as `blpop` hears nothing until the system probes the server, … */
export const KEEP_ALIVE_IDLE_S = 30;
/** … how long it waits for each probe's answer, … */
export const KEEP_ALIVE_INTERVAL_S = 10;
/** … and how many may get none before the server counts as gone. */
export const KEEP_ALIVE_PROBES_MAX_COUNT = 3;
/** Bytes of requests that a client holds without a reply before it refuses to take more. */
export const CLIENT_UNANSWERED_MAX_BYTES = 256 * 1024 * 1024;
/** A client whose attempt to reconnect failed lets this time pass before the next; it doubles with each failure. */
export const RECONNECT_DELAY_MIN_MS = 50;
/** The longest time between two attempts to reconnect. */
export const RECONNECT_DELAY_MAX_MS = 2_000;
/** Replies that the piped client holds for a slow reader of its output before it stops asking for more. */
export const OUTPUT_QUEUE_MAX_BYTES = 4 * 1024 * 1024;
/** Bytes that the client writes to its output in one call: what Ctrl-C cannot take back on a slow terminal. */
export const OUTPUT_WRITE_MAX_BYTES = 64 * 1024;
/** Most commands that the piped client has in flight: enough to keep a connection busy. */
export const PIPED_IN_FLIGHT_MAX_COUNT = 1_024;
/** Lines of history that the interactive client keeps, … */
export const HISTORY_MAX_COUNT = 1_000;
/** … and characters of all of them together, as UTF-16 counts them. */
export const HISTORY_MAX_CHARACTERS = 4 * 1024 * 1024;
/** Longest line that is written to the history's file. */
export const HISTORY_LINE_MAX_BYTES = 64 * 1024;
/** Of a longer file of history only so many bytes at its end are read, and it is cut. */
export const HISTORY_FILE_MAX_BYTES = 8 * 1024 * 1024;
/** Longest text at the prompt, in UTF-16 units: each key copies it. Longer values come from a file or a pipe. */
export const EDITED_TEXT_MAX_CHARACTERS = 4 * 1024 * 1024;
/** Bytes typed or pasted while a command runs. More are dropped, and the user is told. */
export const TYPED_AHEAD_MAX_BYTES = 32 * 1024 * 1024;
/** Texts that undo brings back. */
export const UNDO_MAX_COUNT = 100;
/** A longer text is not kept for undo. */
export const UNDO_TEXT_MAX_CHARACTERS = 64 * 1024;
/** Longest sequence of a key that starts with Escape. A longer one is no key. */
export const KEY_SEQUENCE_MAX_BYTES = 64;
/** An Escape after which nothing comes for so long is the key of that name. */
export const ESCAPE_KEY_DELAY_MS = 50;
/** A client that ends waits so long for a terminal to take what was written. */
export const OUTPUT_END_MAX_MS = 1_000;
/** A client that has stopped itself, and finds that it runs after so long, goes on. */
export const STOP_CHECK_MS = 200;

// Certificates and secrets.

/** A local authority is valid this long. */
export const AUTHORITY_VALID_DAYS = 3_650;
/** A server certificate is valid this long: browsers and Apple's TLS refuse more than 825 days. */
export const CERTIFICATE_VALID_DAYS = 730;
/** A server certificate of ours is replaced at start when it is valid for less than this. */
export const CERTIFICATE_RENEW_DAYS = 30;
/** Largest key or password file. */
export const PRIVATE_FILE_MAX_BYTES = 1024 * 1024;
/** Largest file of certificates: the public roots of a system take 0.2 MB, ten thousand authorities 20 MB. */
export const CERTIFICATES_FILE_MAX_BYTES = 32 * 1024 * 1024;
/** The dates of so many authorities in a file are watched; more are a public bundle, of which some always expire. */
export const AUTHORITIES_WATCHED_MAX_COUNT = 16;
/** The shortest RSA key that the TLS library takes. */
export const RSA_KEY_MIN_BITS = 2_048;
/** The most passwords that are valid at a time: the one before and the one after a change. */
export const PASSWORDS_MAX_COUNT = 2;
