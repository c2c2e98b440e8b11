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
/** A connection's read buffer at first: thousands of idle connections shall cost little. */
export const READ_BUFFER_INITIAL_BYTES = 4 * 1024;
/** What it grows to when a peer sends more at a time: one read takes what a socket typically holds. */
export const READ_BUFFER_BATCH_BYTES = 64 * 1024;
/** A connection's buffer of replies at first; it doubles as needed. */
export const REPLY_BUFFER_INITIAL_BYTES = 1024;
/** A connection's buffer above this size is given back once it is empty. */
export const BUFFER_KEEP_MAX_BYTES = 1024 * 1024;
/** Replies collected beyond this are written before the next command of the batch runs. */
export const REPLY_FLUSH_BYTES = 256 * 1024;
/** Largest reply to one command. Past it the command is answered with an error. */
export const REPLY_SIZE_MAX_BYTES = 1024 * 1024 * 1024;
/** Deepest nesting a decoder of ours follows. */
export const NESTING_MAX_DEPTH = 32;

// Connections.

/** A TLS handshake not finished by then is cut off. */
export const HANDSHAKE_TIMEOUT_MS = 5_000;
/** TLS handshakes at once; a connection beyond that is closed without a word. */
export const HANDSHAKES_MAX_COUNT = 4_096;
/** A connection that has to authenticate and has not by then is cut off. */
export const AUTHENTICATION_TIMEOUT_MS = 5_000;
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
/** How long a backend may be silent while it owes a reply before its connection is given up. */
export const BACKEND_TIMEOUT_MS = 10_000;
/** A failed accept is repeated after this, then after twice as long, and so on: out of descriptors, each one fails. */
export const ACCEPT_RETRY_MIN_MS = 5;
/** Longest wait between two tries to accept. */
export const ACCEPT_RETRY_MAX_MS = 1_000;
/** Connections given up are freed together this much later: finding their descriptors takes milliseconds. */
export const ABORT_DELAY_MS = 50;
/** Looking for a descriptor ends after this many numbers that are no sockets: about 2 ms. */
export const DESCRIPTOR_GAP_MAX_COUNT = 8_192;
/** Clients at once, unless `--max-clients` says otherwise. */
export const CLIENTS_DEFAULT_COUNT = 10_000;
/** Most clients that `--max-clients` may ask for. */
export const CLIENTS_MAX_COUNT = 1_000_000;
/** Longest `--timeout` of the client: a day. */
export const TIMEOUT_MAX_MS = 86_400_000;
/** How long a role waits for clients to finish when it is told to stop. */
export const SHUTDOWN_GRACE_MS = 5_000;
/** Bytes of requests that the proxy holds for one backend connection before it stops reading clients of it. */
export const BACKEND_QUEUE_MAX_BYTES = 8 * 1024 * 1024;
/** Long output to a backend is written in pieces of this size, so that its progress can be seen. */
export const BACKEND_WRITE_BYTES = 256 * 1024;
/** Requests of one proxy client in flight before the proxy stops reading it. */
export const PROXY_IN_FLIGHT_MAX_COUNT = 16 * 1024;
/** Bytes of replies that the proxy holds or expects for one client before it stops reading it. */
export const CLIENT_BACKLOG_MAX_BYTES = 4 * 1024 * 1024;
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
/** A server that was lost is tried again after this, then after twice as long, and so on. */
export const BACKEND_RETRY_MIN_MS = 100;
/** Longest wait between two tries. */
export const BACKEND_RETRY_MAX_MS = 2_000;
/**
 * Requests in flight, each 4 KiB counted as one more, from which a pooled connection is busy, so that another is opened.
 * A server runs one command after another whatever the connection, and fewer connections mean larger batches: at 64 the
 * proxy needs a third more processor time for each command than at 512.
 */
export const PIPELINE_BUSY_LOAD = 512;
/** Pooled connections a backend, unless `--conns` says otherwise. */
export const POOL_CONNECTIONS_DEFAULT_COUNT = 10;
/** Most pooled connections a backend that `--conns` may ask for. */
export const POOL_CONNECTIONS_MAX_COUNT = 1_000;

// Data.

/** Longest key. Keys are kept whole beside the entry's header, inside one page. */
export const KEY_SIZE_MAX_BYTES = 32 * 1024;
/** Longest field of a hash, which is kept as a key is. */
export const FIELD_SIZE_MAX_BYTES = KEY_SIZE_MAX_BYTES;
/** Longest value of a string, a list's element or a hash's field. */
export const VALUE_SIZE_MAX_BYTES = 64 * 1024 * 1024;
/** Most elements of one list and fields of one hash. */
export const ELEMENTS_MAX_COUNT = 2 ** 32 - 1;
/** Longest glob pattern. Matching takes pattern × key steps at worst. */
export const PATTERN_SIZE_MAX_BYTES = 1024;
/** Keys that one `scan` looks at, unless COUNT says otherwise. */
export const SCAN_COUNT_DEFAULT = 10;
/** Most keys that one `scan` looks at, whatever COUNT says: it must not hold up other clients. */
export const SCAN_COUNT_MAX = 10_000;
/** One `scan` ends once the keys it found are longer than this in all. */
export const SCAN_REPLY_MAX_BYTES = 1024 * 1024;
/** Latest deadline, in ms since 1970: the largest that fits 48 bits, in the year 10889. */
export const DEADLINE_MAX_MS = 2 ** 48 - 1;
/** Smallest memory limit: below it the fixed parts of the store leave no room for data. */
export const MEMORY_LIMIT_MIN_BYTES = 4 * 1024 * 1024;
/** Largest memory limit: references are 32 bits wide and count units of 8 bytes. */
export const MEMORY_LIMIT_MAX_BYTES = 32 * 1024 * 1024 * 1024;
/** How often expired keys are looked for when none is due. */
export const EXPIRY_INTERVAL_MS = 100;
/** Expired keys are removed for this long at a time, then commands get their turn. */
export const EXPIRY_SLICE_MS = 2;
/** Expired keys that are removed between two looks at the clock. */
export const EXPIRY_SLICE_COUNT = 200;
/** Share of the container's or machine's memory for data unless `--max-memory` is given; the rest is the runtime's. */
export const MEMORY_LIMIT_DEFAULT_SHARE = 0.75;
/** Longest `--default-ttl`: a hundred years, so that no sum with the present passes the latest deadline. */
export const DEFAULT_TTL_MAX_MS = 100 * 365 * 86_400_000;

// Disk.

/** A snapshot is taken after this time when something has changed. */
export const SNAPSHOT_INTERVAL_MS = 300_000;
/** Snapshots kept in the data folder. */
export const SNAPSHOTS_KEPT_COUNT = 2;
/** A snapshot's block is written once it holds this much; a larger record stands in a block of its own. */
export const SNAPSHOT_BLOCK_BYTES = 1024 * 1024;

// Cluster.

/** Slots that keys hash to, as in Redis Cluster. */
export const SLOTS_COUNT = 16_384;
/** Most servers of one `servers.json`. */
export const SERVERS_MAX_COUNT = 1_024;
/** Largest `servers.json`. */
export const SERVERS_FILE_MAX_BYTES = 1024 * 1024;
/** A weight's range in `servers.json` is 1 to this; a missing weight is 1. */
export const WEIGHT_MAX = 1_000_000;
/** Changes of `servers.json` closer together than this are read once. */
export const MEMBERS_DEBOUNCE_MS = 100;
/** `servers.json` is also read this often, since watching may miss a change. */
export const MEMBERS_POLL_MS = 2_000;

// Client.

/** Longest line of the interactive and the piped client. */
export const LINE_SIZE_MAX_BYTES = 128 * 1024 * 1024;
/** How long the client waits for the reply to a request, unless told otherwise. 0 is for ever. */
export const REQUEST_TIMEOUT_DEFAULT_MS = 30_000;
/** Bytes of requests that a client holds without a reply before it refuses to take more. */
export const CLIENT_UNANSWERED_MAX_BYTES = 256 * 1024 * 1024;
/** A client whose attempt to reconnect failed lets this time pass before the next; it doubles with each failure. */
export const RECONNECT_DELAY_MIN_MS = 50;
/** The longest time between two attempts to reconnect. */
export const RECONNECT_DELAY_MAX_MS = 2_000;
/** Replies that the piped client holds for a slow reader of its output before it stops asking for more. */
export const OUTPUT_QUEUE_MAX_BYTES = 4 * 1024 * 1024;
/** Most commands that the piped client has in flight: enough to keep a connection busy. */
export const PIPED_IN_FLIGHT_MAX_COUNT = 1_024;
/** Lines of history that the interactive client keeps. */
export const HISTORY_MAX_COUNT = 1_000;

// Certificates and secrets.

/** A local authority is valid this long. */
export const AUTHORITY_VALID_DAYS = 3_650;
/** A server certificate is valid this long: browsers and Apple's TLS refuse more than 825 days. */
export const CERTIFICATE_VALID_DAYS = 730;
/** A server certificate of ours is replaced at start when it is valid for less than this. */
export const CERTIFICATE_RENEW_DAYS = 30;
/** Largest key, certificate or password file. */
export const PRIVATE_FILE_MAX_BYTES = 1024 * 1024;
