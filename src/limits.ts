/**
 * Every bound of inmem, with its unit last in its name and its reason in its comment.
 *
 * A request that exceeds a bound is refused with a typed error that names the bound, and nothing else is affected.
 *
 * @module
 */

// Wire.

/**
 * The largest native frame, without its length prefix. It is below 2^29, so that the first byte of a connection
 * distinguishes native from RESP.
 */
export const FRAME_SIZE_MAX_BYTES = 128 * 1024 * 1024;
/** The largest frame before authentication, so that a stranger cannot use much memory. */
export const FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES = 16 * 1024;
/** The most arguments of one request, including the command's name. */
export const ARGUMENTS_MAX_COUNT = 1024 * 1024;
/**
 * The most arguments of a command that takes options rather than many keys, elements or fields, and of a command about
 * the server or its connections. Each argument may take 20 µs.
 */
export const ARGUMENTS_FEW_MAX_COUNT = 256;
/**
 * The longest argument of a command on the connection or the server, such as a name, a password, a path or a pattern of
 * `config get`. Decoding an argument of this size as text takes negligible time.
 */
export const WORD_SIZE_MAX_BYTES = 16 * 1024;
/** The most arguments of a RESP request before authentication, as in Redis. */
export const ARGUMENTS_UNAUTHENTICATED_MAX_COUNT = 10;
/** The longest inline command of RESP, and the longest line that holds a count or a length, as in Redis. */
export const RESP_LINE_MAX_BYTES = 64 * 1024;
/** The initial size of a connection's read buffer. It is small because thousands of connections may be idle. */
export const READ_BUFFER_INITIAL_BYTES = 1024;
/** The size to which a connection's read buffer may grow while clients together hold much memory. */
export const READ_BUFFER_TIGHT_BYTES = 4 * 1024;
/**
 * The size to which a connection's read buffer grows when the peer sends more at a time. One read then takes what a
 * socket typically holds.
 */
export const READ_BUFFER_BATCH_BYTES = 64 * 1024;
/**
 * The most bytes that all clients of a role together may have sent after commands that wait, in addition to one batch
 * per client. The bytes are kept, because the role must read on to notice the end of a connection. A client that would
 * exceed the bound is disconnected.
 */
export const READ_AHEAD_MAX_BYTES = 64 * 1024 * 1024;
/** The most bytes of one read, so that decoding their arguments takes about a millisecond. */
export const READ_MAX_BYTES = 512 * 1024;
/** A read of this many bytes may be followed by another one in the same turn of the event loop. */
export const READ_LARGE_BYTES = 16 * 1024;
/** The initial size of a connection's reply buffer, which doubles as needed. */
export const REPLY_BUFFER_INITIAL_BYTES = 1024;
/**
 * The size of the chunks in which longer replies are collected. Sizes from 64 KiB to 4 MiB are equally fast. Smaller
 * chunks are more numerous, and larger ones take longer to allocate.
 */
export const REPLY_CHUNK_BYTES = 512 * 1024;
/** A connection's buffer above this size is freed when it becomes empty. */
export const BUFFER_KEEP_MAX_BYTES = 1024 * 1024;
/** Once this many bytes of replies are collected, they are written before the next command of the batch runs. */
export const REPLY_FLUSH_BYTES = 256 * 1024;
/**
 * The most bytes of replies to one read batch that are written before other connections run, however fast the client
 * reads. Writing them takes 2 ms.
 */
export const REPLY_BURST_BYTES = 4 * 1024 * 1024;
/** The largest reply to one command. A command whose reply would be larger gets an error. */
export const REPLY_SIZE_MAX_BYTES = 1024 * 1024 * 1024;
/** The deepest nesting that a decoder follows. */
export const NESTING_MAX_DEPTH = 32;

// Connections.

/** How long a TLS handshake may take before its connection is closed. */
export const HANDSHAKE_TIMEOUT_MS = 5_000;
/**
 * How long a listener whose certificate was replaced goes on accepting connections whose first packets were already on
 * their way: the time of three retransmissions of a lost packet.
 */
export const LISTENER_REPLACED_MS = 7_000;
/** The most TLS handshakes at the same time. Further connections are closed without a reply. */
export const HANDSHAKES_MAX_COUNT = 4_096;
/** How long a connection that has to authenticate may take to do so before it is closed. */
export const AUTHENTICATION_TIMEOUT_MS = 5_000;
/** How many recent wrong passwords of one address are refused without a delay, since people mistype. */
export const FAILED_LOGINS_FREE_COUNT = 3;
/**
 * How long the first delayed refusal of a wrong password is held back. Each further one takes twice as long, up to
 * {@linkcode FAILED_LOGIN_DELAY_MAX_MS}.
 */
export const FAILED_LOGIN_DELAY_MIN_MS = 50;
/** The longest time that the refusal of a wrong password is held back. */
export const FAILED_LOGIN_DELAY_MAX_MS = 1_000;
/** The time after which an address's wrong passwords count half. */
export const FAILED_LOGIN_HALF_LIFE_MS = 30_000;
/** The number of wrong passwords after which a connection is closed. */
export const FAILED_LOGINS_MAX_COUNT = 10;
/** The most addresses whose wrong passwords are remembered. */
export const FAILING_ADDRESSES_MAX_COUNT = 1_024;
/**
 * The shortest time between two lines of the log about wrong passwords of one address, and, after a burst of
 * {@linkcode FAILED_LOGIN_REPORTS_MAX_COUNT} lines, of all addresses.
 */
export const FAILED_LOGIN_REPORT_INTERVAL_MS = 10_000;
/**
 * The most lines of the log about wrong passwords in a burst. After it there is one line per
 * {@linkcode FAILED_LOGIN_REPORT_INTERVAL_MS}.
 */
export const FAILED_LOGIN_REPORTS_MAX_COUNT = 20;
/**
 * The most lines of the log about one admin command in a burst. After it there is one line per
 * {@linkcode ADMIN_REPORT_INTERVAL_MS}.
 */
export const ADMIN_REPORTS_MAX_COUNT = 20;
/**
 * The time between two lines of the log about one admin command, once a burst of {@linkcode ADMIN_REPORTS_MAX_COUNT}
 * lines was logged.
 */
export const ADMIN_REPORT_INTERVAL_MS = 1_000;
/** How many characters of an admin command are logged. */
export const ADMIN_WORDS_MAX_LENGTH = 256;
/** How long a frame may stay incomplete before its connection is closed. */
export const PARTIAL_FRAME_TIMEOUT_MS = 30_000;
/**
 * The slowest pace at which a large frame may arrive: the frame gets more time as it grows, so that slow links can send
 * it.
 */
export const PARTIAL_FRAME_MIN_BYTES_PER_MS = 64;
/** How long a connection's input is still read after a last error reply, so that a reset does not discard the reply. */
export const LINGER_TIMEOUT_MS = 2_000;
/**
 * How many connections beyond the client limit may be receiving their error reply at the same time. Further ones are
 * closed without a reply.
 */
export const REJECTED_CLIENTS_MAX_COUNT = 64;
/** How often the deadlines of connections are checked, by one timer for all of them. */
export const CONNECTION_SWEEP_INTERVAL_MS = 1_000;
/** How long a peer may accept no byte of its replies before it is disconnected. */
export const WRITE_TIMEOUT_MS = 30_000;
/** How long an outgoing connection may take, including its handshake. */
export const CONNECT_TIMEOUT_MS = 3_000;
/**
 * How long a connection to one address of a name may take before the next address is tried in parallel (RFC 8305: 250
 * ms).
 */
export const CONNECT_ATTEMPT_DELAY_MS = 250;
/** How long known IPv4 addresses of a name wait for its IPv6 addresses (RFC 8305: 50 ms). */
export const CONNECT_FAMILY_DELAY_MS = 50;
/** The most addresses of one name that are tried. */
export const ADDRESSES_OF_NAME_MAX_COUNT = 64;
/** The most addresses of one name that an error lists, each with its reason. */
export const ADDRESSES_LISTED_MAX_COUNT = 8;
/**
 * The most name lookups at the same time, with two per name. Each occupies one of 32 threads, which files need as well,
 * for 10 s if no name server replies.
 */
export const LOOKUPS_MAX_COUNT = 16;
/** The most names that wait to be looked up. */
export const LOOKUPS_WAITING_MAX_COUNT = 2_048;
/**
 * The duration from which a lookup is slow. Names whose lookups were slow share half of the places for lookups from
 * then on.
 */
export const LOOKUP_SLOW_MS = 1_000;
/** How long a backend that owes a reply may be silent before its connection is closed. */
export const BACKEND_TIMEOUT_MS = 10_000;
/** The largest reply to the first requests that the proxy sends on a connection. */
export const GREETING_REPLY_MAX_BYTES = 64 * 1024;
/** How long a backend that owes a reply may be silent before it is probed. */
export const BACKEND_SUSPECT_MS = 500;
/**
 * How long a probed backend may stay silent, counted from the last bytes received on any of its connections. After
 * that, requests for it fail immediately until it replies. {@linkcode REMAP_SILENT_MS} bounds when other servers take
 * over its slots. The probe has a separate connection.
 */
export const BACKEND_PROBE_TIMEOUT_MS = 1_000;
/** How long a backend that owes nothing may be silent before it is probed. */
export const BACKEND_CHECK_INTERVAL_MS = 1_000;
/**
 * The delay after a first failed accept, which doubles with each further failure. While descriptors are exhausted,
 * every accept fails.
 */
export const ACCEPT_RETRY_MIN_MS = 5;
/** The longest delay between two attempts to accept. */
export const ACCEPT_RETRY_MAX_MS = 1_000;
/**
 * How many connections in a row may be closed by their peers before they are accepted. After that many the listener
 * pauses, in case the cause is not the peers.
 */
export const LOST_IN_A_ROW_MAX_COUNT = 16;
/** The interval in which one line of the log reports failed accepts and their count. */
export const ACCEPT_REPORT_INTERVAL_MS = 10_000;
/**
 * How long abandoned connections are collected before they are freed together, since finding their descriptors takes
 * milliseconds.
 */
export const ABORT_DELAY_MS = 50;
/**
 * The most descriptors in a row that are not sockets before a search for a descriptor ends. Checking them takes about 2
 * ms.
 */
export const DESCRIPTOR_GAP_MAX_COUNT = 8_192;
/**
 * The search for a client's descriptor ends this many numbers after the last known connection. The lowest free
 * descriptor is always used, so it is near. A client that is not found, such as one that was reset, costs this many
 * checks.
 */
export const PEER_GAP_MAX_COUNT = 256;
/**
 * The descriptors that a role keeps for itself: about 30 that the runtime has open, and those of the log and of a
 * snapshot.
 */
export const OWN_DESCRIPTORS_COUNT = 40;
/** The connections to a server beside those that clients share: probes, channels, and one more protocol. */
export const SERVER_EXTRA_CONNECTIONS_COUNT = 4;
/**
 * The fewest spare connections, beyond the client limit, for clients that are being refused or closed. An eighth of the
 * connections is spare, between this bound and {@linkcode SPARE_CONNECTIONS_MAX_COUNT}.
 */
export const SPARE_CONNECTIONS_MIN_COUNT = 4;
/** The most spare connections, beyond the client limit, for clients that are being refused or closed. */
export const SPARE_CONNECTIONS_MAX_COUNT = 128;
/** The most clients at the same time without `--max-clients`. */
export const CLIENTS_DEFAULT_COUNT = 10_000;
/** The largest value of `--max-clients`. */
export const CLIENTS_MAX_COUNT = 1_000_000;
/**
 * The memory of a connection that holds nothing: its objects, a read buffer, and the buffers of the system's TLS. It is
 * reported, but not charged to the memory of clients.
 */
export const CLIENT_FIXED_BYTES = 24 * 1024;
/**
 * The memory of a name (a channel, a pattern, a watched key) beside its bytes: its string, its entries in the tables of
 * the client and of the server, and the set of the clients that share it.
 */
export const NAME_OVERHEAD_BYTES = 600;
/** The share of `--max-memory` (for a proxy, of the machine's memory) that all clients together may hold by default. */
export const CLIENT_MEMORY_DEFAULT_SHARE = 0.25;
/** The smallest default of `--max-client-memory`, so that the largest request fits. */
export const CLIENT_MEMORY_DEFAULT_MIN_BYTES = 64 * 1024 * 1024;
/** The largest default of `--max-client-memory`. Clients that hold more hold garbage rather than work. */
export const CLIENT_MEMORY_DEFAULT_MAX_BYTES = 1024 * 1024 * 1024;
/**
 * The memory of a small container that an idle connection takes: {@linkcode CLIENT_FIXED_BYTES} and garbage of the
 * heap. 2,000 idle connections over TLS took 34.7 KB each.
 */
export const CONNECTION_MEMORY_BYTES = 36 * 1024;
/** The share of a container's or machine's memory that is left for clients by default for any size of the data. */
export const CLIENTS_MEMORY_MIN_SHARE = 0.125;
/** The share of the clients' memory that their connections alone may take. The rest is for the data that they hold. */
export const CONNECTIONS_MEMORY_MAX_SHARE = 0.4;
/** The smallest `--max-client-memory`: the buffers of a few busy clients. */
export const CLIENT_MEMORY_MIN_BYTES = 1024 * 1024;
/** The largest `--max-client-memory`. */
export const CLIENT_MEMORY_MAX_BYTES = 1024 * 1024 * 1024 * 1024;
/** The share of the engine's heap that the objects of all clients may take. A full heap aborts the process. */
export const CLIENT_HEAP_SHARE = 0.35;
/** A reply to one command up to this size is never refused, since the command may already have changed something. */
export const REPLY_UNREFUSED_MAX_BYTES = 64 * 1024;
/**
 * The size from which a freed buffer is returned to the system immediately. A request may still borrow a read buffer up
 * to the size of a batch, so the garbage collector frees those.
 */
export const FREED_AT_ONCE_MIN_BYTES = READ_BUFFER_BATCH_BYTES + 4 * 1024;
/**
 * The size from which a freed buffer that cannot be borrowed, such as a reply buffer, is returned to the system
 * immediately. A call is too expensive for smaller buffers. Left to the garbage collector, buffers of this size would
 * add up to tens of megabytes, which a small container does not have.
 */
export const FREED_UNBORROWED_MIN_BYTES = 16 * 1024;
/** The most bytes of freed buffers that wait for later turns of the event loop. */
export const FREED_QUEUE_MAX_BYTES = 256 * 1024 * 1024;
/**
 * How many chunks of long replies are kept for the next reply, since touching fresh memory takes ten times as long as
 * filling it.
 */
export const SPARE_CHUNKS_MAX_COUNT = 8;
/**
 * The most lines of the log about clients that were closed or refused memory, per
 * {@linkcode CLIENT_MEMORY_REPORT_INTERVAL_MS}.
 */
export const CLIENT_MEMORY_REPORTS_MAX_COUNT = 20;
/**
 * The interval in which the log has at most {@linkcode CLIENT_MEMORY_REPORTS_MAX_COUNT} lines about clients that were
 * closed or refused memory.
 */
export const CLIENT_MEMORY_REPORT_INTERVAL_MS = 10_000;
/** The longest `--timeout` of the client: a day. */
export const TIMEOUT_MAX_MS = 86_400_000;
/** How long a role that stops waits for its clients to finish. */
export const SHUTDOWN_GRACE_MS = 5_000;
/**
 * The most bytes of requests that the proxy holds for one backend connection before it stops reading the clients that
 * use it.
 */
export const BACKEND_QUEUE_MAX_BYTES = 8 * 1024 * 1024;
/** The size of the buffers in which requests for a backend are collected, so that no step copies more. */
export const BACKEND_BATCH_MAX_BYTES = 1024 * 1024;
/** Frames of this size or more pass through the proxy in separate buffers and are copied in steps if at all. */
export const LONG_FRAME_BYTES = 1024 * 1024;
/** The size of the pieces in which long output is written to a backend, so that its progress can be observed. */
export const BACKEND_WRITE_BYTES = 256 * 1024;
/**
 * The duration from which the write of a piece proves that the backend reads: a system with free buffers accepts a
 * piece immediately.
 */
export const BACKEND_WRITE_WAIT_MS = 20;
/** About how much of a long output the systems and relays on the way may still hold once all of it was written. */
export const BACKEND_TRANSIT_BYTES = 8 * 1024 * 1024;
/**
 * The most additional time for a backend that takes a long output slowly. It gets time for the rest at the same pace,
 * up to this.
 */
export const BACKEND_PACE_MAX_MS = 10_000;
/** The most requests in flight of one proxy client. At this number the proxy stops reading the client. */
export const PROXY_IN_FLIGHT_MAX_COUNT = 16 * 1024;
/**
 * The most bytes of replies that the proxy holds or expects for one client. At this size the proxy stops reading the
 * client.
 */
export const CLIENT_BACKLOG_MAX_BYTES = 4 * 1024 * 1024;
/**
 * The most bytes of replies that the proxy holds or expects for one client while clients together hold much memory. At
 * this size the proxy stops reading the client.
 */
export const CLIENT_BACKLOG_TIGHT_BYTES = 1024 * 1024;
/**
 * The most requests in flight of one proxy client while clients together hold much memory. At this number the proxy
 * stops reading the client.
 */
export const PROXY_IN_FLIGHT_TIGHT_COUNT = 1024;
/**
 * The most bytes of replies that the proxy holds for one client, without the last one. Beyond it reads are refused, and
 * a write with a long reply costs the client its connection. Replies of expected sizes never reach it, since the proxy
 * stops reading such a client long before.
 */
export const CLIENT_REPLIES_MAX_BYTES = 512 * 1024 * 1024;
/** The size that the proxy expects of a client's next reply until it has seen some. */
export const CLIENT_REPLY_ESTIMATE_BYTES = 16 * 1024;
/** How often the proxy looks for overdue replies. Deadlines are this much less exact. */
export const BACKEND_SWEEP_INTERVAL_MS = 100;
/**
 * How long a server that is probed repeatedly may be silent before the proxy opens another connection for its channel
 * messages. It is longer than for requests: messages are lost with the connection, and a busy server sends them later.
 */
export const CHANNEL_LINK_SILENCE_MAX_MS = 60_000;
/** The delay before a lost server is tried again, which doubles with each failure. */
export const BACKEND_RETRY_MIN_MS = 100;
/** The longest delay between two attempts to connect to a lost server. */
export const BACKEND_RETRY_MAX_MS = 2_000;
/**
 * The most lines of a proxy's log about one server in a burst. After it there is one line per
 * {@linkcode SERVER_REPORT_INTERVAL_MS}.
 */
export const SERVER_REPORTS_MAX_COUNT = 12;
/**
 * The time between two lines of a proxy's log about one server, once a burst of {@linkcode SERVER_REPORTS_MAX_COUNT}
 * lines was logged.
 */
export const SERVER_REPORT_INTERVAL_MS = 10_000;
/** A server that is gone for less than this keeps its slots, since its data is worth more than a moment's requests. */
export const REMAP_DELAY_MS = 500;
/**
 * How long a server that is silent, but not known to be gone, keeps its slots. It may be busy or stopped for a moment
 * and then still has all its keys. No pause of a healthy process should last longer.
 */
export const REMAP_SILENT_MS = 10_000;
/** The delay before a server is asked again to remove its old keys of slots that it takes over, if that failed. */
export const REMAP_RETRY_MS = 1_000;
/** The window in which latencies of a backend are counted together. The reported ones cover one to two windows. */
export const TRAFFIC_WINDOW_MS = 10_000;
/**
 * The number of intervals of {@linkcode TRAFFIC_MARK_INTERVAL_MS} over which the reported requests a second to a
 * backend are measured.
 */
export const TRAFFIC_MARKS_COUNT = 5;
/** The length of the intervals in which requests to a backend are counted for its requests a second. */
export const TRAFFIC_MARK_INTERVAL_MS = 1_000;
/** The least time between two counts of which the requests and bytes a second of a role follow. */
export const RATE_INTERVAL_MS = 400;
/** The number of counts over which the requests and bytes a second of a role are measured. */
export const RATE_MARKS_COUNT = 5;
/** The number of codes of errors that are counted separately. Redis has as many. */
export const ERROR_CODES_MAX_COUNT = 128;
/** The age from which a server's report about itself is requested again. */
export const SERVER_STATS_FRESH_MS = 1_000;
/** The age from which a server's report is not shown in the table of `cluster`. */
export const SERVER_STATS_MAX_AGE_MS = 10_000;
/** How long `info` and the metrics of a proxy wait for the reports of its servers. */
export const SERVER_STATS_REPLY_WAIT_MS = 500;
/** How long `inmem client cluster` waits for the statistics of all servers. */
export const SERVER_STATS_WAIT_MS = 1_000;
/**
 * The interval after which held replies are written. Replies wait one to two intervals for the replies to requests that
 * came with theirs.
 */
export const REPLY_HOLD_MS = 1;
/** Replies of this size together are written without waiting for others. */
export const REPLY_HOLD_MAX_BYTES = 64 * 1024;
/**
 * The load from which a pooled connection is busy, so that another is opened: its requests in flight, plus one for each
 * 512 bytes. A server runs one command after another on any number of connections, and fewer connections mean larger
 * batches. With 50 clients the proxy needs a third more processor time per command at 64 than at 512, and a tenth more
 * at 512 than here.
 */
export const PIPELINE_BUSY_LOAD = 4_096;
/**
 * How long a pooled connection may be idle before it is closed, unless it is the last one of its protocol. The
 * connections that a burst has opened thus do not stay. mcrouter and nginx use the same time.
 */
export const BACKEND_IDLE_MS = 60_000;
/**
 * How long the last pooled connection of a protocol may be idle before it is closed. It is kept for longer than the
 * others, so that the next request does not wait for a handshake, but not forever: load balancers and firewalls forget
 * a silent connection without notice after 4 to 6 minutes, and a request on it would wait for its deadline.
 */
export const BACKEND_LAST_IDLE_MS = 180_000;
/** The most pooled connections per backend without `--conns`. */
export const POOL_CONNECTIONS_DEFAULT_COUNT = 10;
/** The largest value of `--conns`, the most pooled connections per backend. */
export const POOL_CONNECTIONS_MAX_COUNT = 1_000;

/**
 * The most connections to one backend that are lent to single proxy clients, for commands that wait or watch. A client
 * that needs one more is refused.
 */
export const DEDICATED_CONNECTIONS_MAX_COUNT = 1_000;
/** How many dedicated connections that clients have returned are kept for the next client that needs one. */
export const DEDICATED_IDLE_MAX_COUNT = 16;
/** How long a dedicated connection that a client has returned is kept. */
export const DEDICATED_IDLE_MAX_MS = 10_000;

// HTTP, on the port of `--metrics`.

/** The most connections that the port of `--metrics` serves at a time, viewers of event streams included. */
export const HTTP_CONNECTIONS_MAX_COUNT = 64;
/** The most viewers of event streams at a time. Each keeps its connection until it leaves. */
export const HTTP_VIEWERS_MAX_COUNT = 16;
/**
 * The most connections to the port beyond {@linkcode HTTP_CONNECTIONS_MAX_COUNT}: those in a TLS handshake, and those
 * that are being closed.
 */
export const HTTP_SPARE_CONNECTIONS_COUNT = 32;
/**
 * The longest head of a request: its first line and its headers. Browsers send the cookies of every program on the same
 * host, which may take several kilobytes.
 */
export const HTTP_HEAD_MAX_BYTES = 16 * 1024;
/** The longest target of a request, which is its path and its query. */
export const HTTP_TARGET_MAX_BYTES = 4 * 1024;
/** The most headers of a request. Browsers send about 20. */
export const HTTP_HEADERS_MAX_COUNT = 64;
/** The largest body of a request. */
export const HTTP_BODY_MAX_BYTES = 64 * 1024;
/** How long a request may take from its first byte to its last one, and the first one from the connection's start. */
export const HTTP_REQUEST_TIMEOUT_MS = 5_000;
/** How long a connection may stay open between two requests. Prometheus scrapes once in 15 to 60 s. */
export const HTTP_IDLE_TIMEOUT_MS = 120_000;
/** How long the making and the writing of a response may take, and the writing of one event. */
export const HTTP_RESPONSE_TIMEOUT_MS = 20_000;
/**
 * The share of the event loop's time that responses may take together. The clients of the role keep the rest.
 */
export const HTTP_TIME_SHARE = 0.1;
/** How long responses may take together in a burst, such as the first view of the page. */
export const HTTP_TIME_BURST_MS = 250;
/**
 * The time that a request is charged beside the making of its response, for reading, parsing and writing; and the time
 * that a new connection is charged.
 */
export const HTTP_REQUEST_COST_MS = 0.1;
/** The most connections that are accepted in one turn of the event loop. */
export const HTTP_ACCEPTS_PER_TURN_COUNT = 4;
/** The time that a TLS handshake is charged once it is finished. */
export const HTTP_HANDSHAKE_COST_MS = 1;
/** The time that each further read of a request is charged, so that one that comes byte by byte is read slowly. */
export const HTTP_READ_COST_MS = 0.02;
/** The most that the making of one response is charged. A response that waits for a server takes no time meanwhile. */
export const HTTP_RESPONSE_COST_MAX_MS = 50;
/** The bytes of a response whose writing is charged 1 ms. */
export const HTTP_BYTES_PER_MS = 512 * 1024;
/**
 * The most bytes of responses that are being written at a time. Beyond it, the connections that have taken longest to
 * read theirs are closed.
 */
export const HTTP_RESPONSES_MAX_BYTES = 8 * 1024 * 1024;
/**
 * The memory that the port may take: {@linkcode HTTP_RESPONSES_MAX_BYTES}, read buffers of 64 KiB, the connections
 * themselves, and the modules that are loaded for it. It took 2 MB without connections.
 */
export const HTTP_MEMORY_BYTES = 20 * 1024 * 1024;
/** The most bytes that are read and dropped of a connection whose request was refused. */
export const HTTP_DROPPED_MAX_BYTES = 256 * 1024;

// Data.

/** The longest key. A key is stored whole with its entry's header, inside one page. */
export const KEY_SIZE_MAX_BYTES = 32 * 1024;
/** The longest field of a hash, which is stored as a key is, and the longest member of a set. */
export const FIELD_SIZE_MAX_BYTES = KEY_SIZE_MAX_BYTES;
/** The longest value of a string, and the longest message of a channel. */
export const VALUE_SIZE_MAX_BYTES = 64 * 1024 * 1024;
/**
 * The longest element of a list and the longest value of a hash field. Unlike a string it is stored in one step and
 * moved in two, which would take 60 to 140 ms for 64 MiB.
 */
export const ELEMENT_SIZE_MAX_BYTES = 16 * 1024 * 1024;
/** The most elements of one list and fields of one hash. */
export const ELEMENTS_MAX_COUNT = 2 ** 32 - 1;
/** The memory of the pending reply that the proxy creates for each queued request when it sends `exec`. */
export const QUEUED_REQUEST_BYTES = 256;
/**
 * The largest chunk of queued requests. As a queue grows by chunks, growth never copies the requests that it already
 * holds.
 */
export const QUEUE_CHUNK_MAX_BYTES = 1024 * 1024;
/** The first chunk of a queue of requests: most transactions consist of a few short commands. */
export const QUEUE_CHUNK_INITIAL_BYTES = 512;
/**
 * The most turns of the event loop for which a blocked client with unread bytes is put off, since the end of its
 * connection may follow them. After that it is served anyway, since other clients may wait after it. In each turn 64
 * KiB or more are read.
 */
export const BLOCKING_PUT_OFF_MAX_COUNT = 64;
/** The delay before a server is asked again to unblock a connection that it did not find waiting. */
export const UNBLOCK_RETRY_MS = 2;
/** How long a proxy that stops waits for servers to cancel the blocked commands of clients that have gone. */
export const ABANDONED_WAITS_GRACE_MS = 1_000;

/** The memory, beside its bytes, of a reply that the proxy makes itself and joins with replies of a server. */
export const OWN_REPLY_BYTES = 384;
/**
 * The most arguments of one command between `multi` and `exec`, including its name. The server takes 3 ms to queue such
 * a command and 3 ms to read it back.
 */
export const TRANSACTION_ARGUMENTS_MAX_COUNT = 64 * 1024;
/** The most bytes that a client may queue between `multi` and `exec`. */
export const TRANSACTION_MAX_BYTES = 128 * 1024 * 1024;
/** The most keys that one command may wait for. Each takes 2 µs when the wait begins and when it ends. */
export const BLOCKING_KEYS_MAX_COUNT = 2_048;
/** The most sets that one command combines. Each takes an object of the engine's heap while the command runs. */
export const COMBINED_SETS_MAX_COUNT = 65_536;
/** The most keys that one client may watch. `exec` checks each of them, which takes half a microsecond. */
export const WATCHED_KEYS_MAX_COUNT = 4_096;
/**
 * The longest time that a command may wait for an element: 24 days, the longest timer. A longer timeout waits without a
 * limit.
 */
export const BLOCKING_TIMEOUT_MAX_MS = 2 ** 31 - 1;
/** The longest time of a timer of the engine: 24 days. */
export const TIMER_MAX_MS = 2 ** 31 - 1;
/** The number of commands that continue in one turn after a pause of the clients. Each may take about 10 µs. */
export const HELD_COMMANDS_PER_TURN_COUNT = 64;
/** The longest name of a channel, which is that of a key because the proxy finds a channel's server in the same way. */
export const CHANNEL_SIZE_MAX_BYTES = KEY_SIZE_MAX_BYTES;
/**
 * The most bytes of channel messages that may wait for a client when another message arrives: the largest message and
 * 32 MiB. A client with more does not keep up and is disconnected, as in Redis. The arriving message and those that
 * arrived with it do not count, since no client could have read them yet.
 */
export const MESSAGES_MAX_BYTES = VALUE_SIZE_MAX_BYTES + 32 * 1024 * 1024;
/**
 * The most bytes of channel messages that may wait for a client with `client no-evict on`. A proxy sets this on the
 * connection on which it listens for all of its clients, so that a moment's delay does not cost all of them messages.
 */
export const MESSAGES_KEPT_MAX_BYTES = 256 * 1024 * 1024;
/**
 * The most lines of the log about clients that were disconnected because they do not read, in a burst. After it there
 * is one line per {@linkcode CUT_REPORT_INTERVAL_MS}, with their count.
 */
export const CUT_REPORTS_MAX_COUNT = 20;
/**
 * The time between two lines of the log about clients that were disconnected because they do not read, once a burst of
 * {@linkcode CUT_REPORTS_MAX_COUNT} lines was logged.
 */
export const CUT_REPORT_INTERVAL_MS = 5_000;
/** The longest `debug sleep`. The server reads nothing meanwhile and cannot be stopped. */
export const DEBUG_SLEEP_MAX_MS = 60_000;
/** The longest name of a connection. */
export const CLIENT_NAME_MAX_BYTES = 1024;
/**
 * The longest glob pattern. Matching takes one step for each byte of a key and each 32 bytes of a pattern: 1.5 ms at
 * most.
 */
export const PATTERN_SIZE_MAX_BYTES = 1024;
/** The number of keys that one `scan` visits without COUNT. */
export const SCAN_COUNT_DEFAULT = 10;
/** The most keys that one `scan` visits for any COUNT, so that it does not delay other clients. */
export const SCAN_COUNT_MAX = 10_000;
/** One `scan` ends once the keys it found are longer than this together. */
export const SCAN_REPLY_MAX_BYTES = 1024 * 1024;
/**
 * One `scan` ends after this many steps, as with long keys or an expensive pattern. A step takes about a nanosecond,
 * and two or three if millions of keys are in no cache: 2 ms at most, where 1,500,000 steps took 6 ms.
 */
export const SCAN_STEPS_MAX_COUNT = 800_000;
/** The most keys that one `flushslots` visits. Removing all of them takes about 1 ms. */
export const FLUSH_SLOTS_VISITS_MAX_COUNT = 1_000;
/** One `flushslots` ends once the keys that it visited are longer than this together. */
export const FLUSH_SLOTS_VISITS_MAX_BYTES = 512 * 1024;

// Store. The memory that data takes of the limit, in bytes. Each size is rounded up to the next size class of the
// allocator; classes are 8 bytes apart up to 128, then at most 7 %. The files of src/store draw the layouts.
//
//   index            64 for every 7.5 keys on average (5.3 to 10.7 a key); the same for fields of large hashes
//   string           16 + key + value;  36 + key + value with a deadline, or 20 + … above 255 B of value
//   list, hash       24 + key (+ 16 with a deadline) + packed: 2 + length an element, 1 + length a field, 1 + a value
//   large list       28 + key, and leaves: 24 for each 2 KiB, 2 + length an element
//   large hash       36 + key, and an entry for each field: 28 + field + value
//   large value      16 for each 64 KiB, and up to an eighth of its last 64 KiB
//
// In addition to the limit, the allocator's accounting takes 24 bytes for each 64 KiB, and the runtime about 70 MB.

/**
 * The largest block that shares a page with other blocks without much waste. Longer values are cut into pieces of up to
 * 64 KiB.
 */
export const BLOCK_SHARED_MAX_BYTES = 8192;
/**
 * The largest run of a packed hash or set. A value beyond it becomes a large one. Moving the tail of a run of this size
 * takes no longer than a lookup.
 */
export const PACKED_MAX_BYTES = 512;
/** The largest field, value or member in a packed hash or set, so that its length takes one byte. */
export const PACKED_ELEMENT_MAX_BYTES = 64;
/** The initial size of a list's leaf, unless its first element needs more. */
export const LEAF_INITIAL_BYTES = 512;
/**
 * The size at which a leaf of a list is full and is followed by another. A list whose elements fit in one leaf is
 * packed. Reaching an element walks over half of a leaf on average.
 */
export const LEAF_MAX_BYTES = 2048;
/**
 * The size to which a leaf may grow when its elements are replaced by longer ones. Beyond it they are stored outside of
 * the leaf.
 */
export const LEAF_REPLACED_MAX_BYTES = 4096;
/** The longest element that is stored in a packed list or a leaf. Longer ones are stored outside of a leaf. */
export const ELEMENT_INLINE_MAX_BYTES = 1024;
/**
 * The most leaves of a directory, which is then followed by another. Reaching an element walks over half of them at
 * worst.
 */
export const DIRECTORY_LEAVES_MAX_COUNT = 256;
/** The most elements, fields or members of a removed value that are freed together. A larger one is freed in steps. */
export const FREED_AT_ONCE_MAX_COUNT = 64;
/** The number of parts of large removed values that are freed at a time while room is made for a command. */
export const FREEING_STEPS_COUNT = 64;
/**
 * The number of keys whose memory is fetched together: enough to overlap one memory access with the others, and no more
 * than the first-level cache holds.
 */
export const PREFETCH_MAX_COUNT = 32;
/**
 * The number of keys from which memory is fetched ahead. Fewer keys fit in a near cache. Among 100,000 keys, fetching
 * ahead takes a tenth more time on an idle machine, and a fifth less where other programs use the shared cache as well.
 */
export const PREFETCH_KEYS_MIN_COUNT = 50_000;
/**
 * The latest deadline, in ms since 1970: the last number below 2^63, since Redis has times of 64 bits. Deadlines beyond
 * 2^53 ms, in the year 287396, are rounded to the nearest number.
 */
export const DEADLINE_MAX_MS = 2 ** 63 - 1024;
/** The smallest memory limit. Below it the fixed parts of the store leave no room for data. */
export const MEMORY_LIMIT_MIN_BYTES = 4 * 1024 * 1024;
/** The largest memory limit: references have 32 bits and count units of 8 bytes. */
export const MEMORY_LIMIT_MAX_BYTES = 32 * 1024 * 1024 * 1024;
/**
 * The memory limit from which the arena uses huge pages. Below it they gain little, and a small store should not take
 * more memory than it uses.
 */
export const HUGE_PAGES_FROM_BYTES = 512 * 1024 * 1024;
/** How far ahead huge pages are prepared. Loading at 100 MB/s uses this much in 160 ms. */
export const HUGE_PAGES_AHEAD_BYTES = 16 * 1024 * 1024;
/** How often expired keys are looked for while data changes. */
export const EXPIRY_INTERVAL_MS = 100;
/**
 * How often expired keys are looked for while no data changes and no deadline is near. Each search costs the runtime
 * some 0.3 ms of CPU time.
 */
export const EXPIRY_IDLE_INTERVAL_MS = 500;
/** How long a long command, such as `keys`, runs before other commands do. */
export const SLICE_MS = 2;
/**
 * A command of more arguments than this runs in steps, with other commands between them. Each argument may take half a
 * microsecond.
 */
export const LONG_ARGUMENTS_COUNT = 512;
/** A command that visits more elements or fields of one value than this runs in steps. */
export const LONG_ITEMS_COUNT = 4096;
/** A command that copies more bytes than this runs in steps. */
export const LONG_BYTES = 256 * 1024;
/**
 * A reply of several values that is longer than this is written in steps. Many clients may request one in the same turn
 * of the event loop, and their first parts add up.
 */
export const REPLY_AT_ONCE_BYTES = 64 * 1024;
/** A value longer than this is stored in steps. */
export const LONG_VALUE_BYTES = 1024 * 1024;
/** The number of elements or fields that one step visits, which takes 50 to 100 µs. */
export const STEP_ITEMS_COUNT = 1024;
/** The number of keys that one step visits, which takes 50 to 100 µs. */
export const STEP_KEYS_COUNT = 128;
/** The number of bytes that one step copies. */
export const STEP_BYTES = 256 * 1024;
/** How long the requests of one read batch run before other connections' requests do. */
export const BATCH_MAX_MS = 4;
/**
 * The shortest time that the requests of one read batch run, if batches of other connections have taken long in the
 * same turn of the event loop.
 */
export const BATCH_MIN_MS = 0.5;
/** The number of requests of a batch that run between two reads of the clock. */
export const BATCH_CLOCK_COUNT = 16;
/** The size of a request after which the proxy reads the clock immediately, since it has copied the request. */
export const BATCH_CLOCK_BYTES = 64 * 1024;
/** How long expired keys are removed at a time before commands run. */
export const EXPIRY_SLICE_MS = 2;
/** How long large removed values are freed at a time before commands run. */
export const FREEING_SLICE_MS = 0.8;
/** The number of expired keys, or of parts of large values, that are removed between two reads of the clock. */
export const RECLAIM_STEPS_COUNT = 200;
/** The share of the container's or machine's memory for data without `--max-memory`. The runtime has the rest. */
export const MEMORY_LIMIT_DEFAULT_SHARE = 0.75;
/**
 * The memory of the process beside data and clients: the program, the engine's heap with its garbage, and the buffers
 * of a snapshot, as measured in control groups of 128 to 512 MB under load.
 */
export const RUNTIME_MEMORY_BYTES = 100 * 1024 * 1024;
/**
 * The memory of the smallest container or machine for a proxy. 60 clients that do not read replies of 100 kB took it to
 * 98 MB.
 */
export const PROXY_MEMORY_MIN_BYTES = 120 * 1024 * 1024;
/**
 * The share of a small container's memory that bounds a snapshot's queue and the queue of freed buffers. The bound is
 * never below {@linkcode QUEUE_MEMORY_MIN_BYTES}.
 */
export const QUEUE_MEMORY_SHARE = 1 / 64;
/** The lowest bound of a snapshot's queue and of the queue of freed buffers in a small container. */
export const QUEUE_MEMORY_MIN_BYTES = 4 * 1024 * 1024;
/** The largest file of the system that is read, such as the list of mounts. */
export const SYSTEM_FILE_MAX_BYTES = 4 * 1024 * 1024;
/**
 * The longest `--default-ttl`: a hundred years, so that the present time plus a TTL never exceeds the latest deadline.
 */
export const DEFAULT_TTL_MAX_MS = 100 * 365 * 86_400_000;

// Disk.

/** How often written batches are synced with `--fsync everysec`. */
export const LOG_SYNC_INTERVAL_MS = 1_000;
/** How often a server checks that its data folder is still the one that it opened. */
export const PLACE_LOOK_INTERVAL_MS = 500;
/**
 * How often a server that writes checks that its data folder is still the one that it opened, unless it does so before
 * each reply. The check takes two system calls, about 5 µs.
 */
export const PLACE_LOOK_WRITING_MS = 20;
/** The duration from which a sync delays replies, so that the amount of data at risk stops growing. */
export const LOG_SYNC_LAG_MAX_MS = 2_000;
/** The delay before a batch that could not be written is written again. */
export const LOG_RETRY_MS = 100;
/**
 * How long clients wait for a batch that cannot be written. They are disconnected after it, since the outcome of their
 * commands is unknown.
 */
export const LOG_HOLD_MAX_MS = 10_000;
/**
 * How long clients wait for a batch that cannot be written because the data folder is gone, which seldom comes back by
 * itself.
 */
export const PLACE_HOLD_MAX_MS = 1_500;
/**
 * The most bytes of batches that are kept while they cannot be written. Beyond it only a snapshot can save their
 * effects.
 */
export const LOG_UNWRITTEN_MAX_BYTES = 64 * 1024 * 1024;
/** The size at which effects are sealed as a batch, even if more commands follow. */
export const LOG_BATCH_BYTES = 1024 * 1024;
/**
 * The most bytes of the log that are written in one step, which takes 1 to 2 ms. Longer batches take several steps,
 * between which commands run.
 */
export const LOG_WRITE_BYTES = 4 * 1024 * 1024;
/** A buffer of effects that has grown beyond this is freed after use. */
export const LOG_BUFFER_KEEP_MAX_BYTES = 4 * 1024 * 1024;
/** The size of the pieces in which logs and snapshots are read. */
export const LOG_READ_BYTES = 1024 * 1024;
/** The smallest log whose growth starts a snapshot. */
export const SNAPSHOT_GROWTH_MIN_BYTES = 64 * 1024 * 1024;
/** The largest `--snapshot-growth`, in percent. */
export const SNAPSHOT_GROWTH_MAX_PERCENT = 1_000_000;
/** The longest `--snapshot-interval`: a year. */
export const SNAPSHOT_INTERVAL_MAX_MS = 365 * 86_400_000;
/** The delay before a failed snapshot is tried again, if there is still a reason for it. */
export const SNAPSHOT_RETRY_MS = 2_000;
/** The number of snapshots that are kept in the data folder. */
export const SNAPSHOTS_KEPT_COUNT = 2;
/**
 * The size at which a block of a snapshot is written. A larger record has a separate block. With blocks of 256 KiB one
 * request in a thousand waits twice as long, since the thread that writes them also needs a core.
 */
export const SNAPSHOT_BLOCK_BYTES = 64 * 1024;
/** The most bytes of a value that one step of a snapshot captures. Large values take several steps. */
export const SNAPSHOT_PART_BYTES = 64 * 1024;
/** The most elements or fields of a value that one step of a snapshot captures. */
export const SNAPSHOT_PART_ITEMS = 256;
/**
 * The size of the pieces in which a snapshot's block is written. A thread that copies more at a time may delay the
 * thread that runs commands.
 */
export const SNAPSHOT_WRITE_BYTES = 32 * 1024;
/** The most bytes of snapshot blocks that wait for the disk. The scan pauses while there are more. */
export const SNAPSHOT_QUEUE_BYTES = 2 * 1024 * 1024;
/**
 * The size at which a snapshot fails because the effects of commands alone make its queue longer: the disk is too slow
 * for both.
 */
export const SNAPSHOT_QUEUE_MAX_BYTES = 64 * 1024 * 1024;
/**
 * A snapshot in progress is synced each time it has grown by this much, so that a sync of the log never waits for all
 * of it.
 */
export const SNAPSHOT_SYNC_BYTES = 16 * 1024 * 1024;
/** How long a snapshot captures keys before commands run for {@linkcode SNAPSHOT_GAP_MS}. */
export const SNAPSHOT_SLICE_MS = 0.15;
/**
 * How long commands run between two slices of a snapshot. 5 million keys take 9 s this way. If it were twice as fast,
 * one request in a thousand would wait three times as long as without a snapshot, mostly for the disk.
 */
export const SNAPSHOT_GAP_MS = 2;
/**
 * The number of slices without any use of a key after which a snapshot hurries: its slices last up to
 * {@linkcode SNAPSHOT_SLICE_MAX_MS} and have almost no gap between them.
 */
export const SNAPSHOT_IDLE_SLICES_COUNT = 20;
/**
 * How many keys a slice of a snapshot visits for each key that commands have used since the last slice, so that the
 * snapshot comes to an end.
 */
export const SNAPSHOT_LOOK_FACTOR = 2;
/** The longest slice of a snapshot. */
export const SNAPSHOT_SLICE_MAX_MS = 2;
/** The bytes of files on disk that one step of a load takes. They take a few milliseconds. */
export const RECOVERY_STEP_BYTES = 128 * 1024;
/** How long a load from disk runs before the event loop turns once, so that `/readyz` gets a response. */
export const RECOVERY_TURN_MS = 50;
/** How long a load from disk runs before it first logs its progress, and the interval at which it does so. */
export const LOAD_PROGRESS_INTERVAL_MS = 1_000;

// Cluster.

/** The number of slots to which keys hash, as in Redis Cluster. */
export const SLOTS_COUNT = 16_384;
/** The most servers in one `servers.json`. */
export const SERVERS_MAX_COUNT = 1_024;
/** The largest `servers.json`. */
export const SERVERS_FILE_MAX_BYTES = 1024 * 1024;
/** The largest file of `--config`. One with every option has a few kilobytes. */
export const CONFIG_FILE_MAX_BYTES = 64 * 1024;
/** The largest weight in `servers.json`. Weights begin at 1, which is also the default. */
export const WEIGHT_MAX = 1_000_000;
/** How long an invalid `servers.json` must stay the same before it is reported. */
export const MEMBERS_FAULT_MS = 100;
/** How often `servers.json` is checked for changes. This takes about 0.1 % of a core. */
export const MEMBERS_POLL_MS = 250;

// Files that are followed.

/** Changes of a watched folder within this time are read together. */
export const FOLLOWER_DEBOUNCE_MS = 100;
/**
 * The delay before invalid content is read again, since it may be half written. It is a prime number, so that it does
 * not keep in step with a program that writes at regular intervals.
 */
export const FOLLOWER_RETRY_MS = 37;
/** The longest time that a proxy which stops waits for a check of the list of servers that is under way. */
export const FOLLOWER_CLOSE_GRACE_MS = 1_000;
/**
 * How often content that was reported as invalid is read again although the file has not changed, since the reason may
 * have gone.
 */
export const FOLLOWER_FAULT_INTERVAL_MS = 2_000;
/**
 * A file that was changed within this time is read again at each check, since the times of files are coarse, up to 2 s.
 */
export const FOLLOWER_RECENT_MS = 3_000;
/**
 * The most reports of invalid content of a file in a burst. After it there is one per
 * {@linkcode FOLLOWER_REPORT_INTERVAL_MS}.
 */
export const FOLLOWER_REPORTS_MAX_COUNT = 5;
/**
 * The time between two reports of invalid content of a file, once a burst of {@linkcode FOLLOWER_REPORTS_MAX_COUNT} was
 * logged.
 */
export const FOLLOWER_REPORT_INTERVAL_MS = 10_000;
/**
 * How often the files of certificates and passwords are checked, so that a change takes effect within 2 s. This takes
 * 0.08 % of a core.
 */
export const SECRETS_POLL_MS = 1_000;
/**
 * How long invalid certificates or passwords must stay the same before they are reported. A certificate and its key are
 * seldom written at the same time.
 */
export const SECRETS_FAULT_MS = 500;
/** How often the dates of certificates are compared with the clock, beside the moment when the next warning is due. */
export const EXPIRY_CHECK_INTERVAL_MS = 3_600_000;
/** The numbers of days before a certificate expires at which the log warns of it. */
export const EXPIRY_WARNING_DAYS: readonly number[] = [30, 7, 1];

// Supervision of the process.

/** How often a role tells those who supervise its process that it is well, unless systemd's watchdog asks sooner. */
export const SUPERVISION_INTERVAL_MS = 5_000;
/** How many times a role calls within the time after which systemd's watchdog takes it for stuck. */
export const WATCHDOG_CALLS_COUNT = 3;
/** The shortest interval of calls that the environment may ask for. */
export const WATCHDOG_INTERVAL_MIN_MS = 10;
/** How long systemd waits for the next sign of progress of a load before it takes the start for failed. */
export const LOAD_SILENCE_MAX_MS = 60_000;
/** The longest time that a role which ends waits for the disk of its health file. */
export const HEALTH_FILE_CLOSE_GRACE_MS = 1_000;

// Client.

/** The longest line of the interactive and the piped client. */
export const LINE_SIZE_MAX_BYTES = 128 * 1024 * 1024;
/** How long the client waits for the reply to a request by default. 0 waits without a limit. */
export const REQUEST_TIMEOUT_DEFAULT_MS = 30_000;
/** How long a client that waits for a command such as `blpop` receives nothing before the system probes the server. */
export const KEEP_ALIVE_IDLE_S = 30;
/** How long the system waits for the reply to each keep-alive probe of a server. */
export const KEEP_ALIVE_INTERVAL_S = 10;
/** How many keep-alive probes may stay without a reply before the server counts as gone. */
export const KEEP_ALIVE_PROBES_MAX_COUNT = 3;
/** The most bytes of requests without a reply that a client holds before it refuses more. */
export const CLIENT_UNANSWERED_MAX_BYTES = 256 * 1024 * 1024;
/** The delay of a client after a first failed attempt to reconnect, which doubles with each failure. */
export const RECONNECT_DELAY_MIN_MS = 50;
/** The longest delay between two attempts to reconnect. */
export const RECONNECT_DELAY_MAX_MS = 2_000;
/**
 * The most bytes of replies that the piped client holds for a slow reader of its output before it stops asking for
 * more.
 */
export const OUTPUT_QUEUE_MAX_BYTES = 4 * 1024 * 1024;
/** The most bytes that the client writes to its output in one call. Ctrl-C cannot take them back on a slow terminal. */
export const OUTPUT_WRITE_MAX_BYTES = 64 * 1024;
/** The size of a batch of a bulk stream: while one is written, no more requests are collected than this. */
export const BULK_BATCH_BYTES = 256 * 1024;
/**
 * The bytes of requests without a reply beyond which a bulk stream accepts no more, so that a server which falls behind
 * is not sent more and more. A single request may be larger.
 */
export const BULK_IN_FLIGHT_MAX_BYTES = 4 * 1024 * 1024;
/** The size of the read buffer of each connection of `inmem bench`. It grows for larger replies. */
export const BENCH_READ_BYTES = 64 * 1024;
/** How long `inmem bench` loads a server before it measures. */
export const BENCH_WARM_UP_MS = 300;
/** The number of keys that `inmem bench` deletes with one request. */
export const BENCH_CLEAN_KEYS_COUNT = 100;
/** The number of connections that `inmem bench` opens at the same time. */
export const BENCH_CONNECTING_MAX_COUNT = 50;
/** The most connections of `inmem bench`. */
export const BENCH_CLIENTS_MAX_COUNT = 10_000;
/** The most requests that `inmem bench` has in flight on a connection. */
export const BENCH_PIPELINE_MAX_COUNT = 10_000;
/** The most keys of `inmem bench`, of each of which it remembers how often it was written. */
export const BENCH_KEYS_MAX_COUNT = 10_000_000;
/** The most requests of a test of `inmem bench`. */
export const BENCH_REQUESTS_MAX_COUNT = 1_000_000_000_000;
/** The most rounds of `inmem bench --compare`. */
export const BENCH_ROUNDS_MAX_COUNT = 1_000;
/** The largest value of `inmem bench`. */
export const BENCH_VALUE_MAX_BYTES = 64 * 1024 * 1024;
/** The longest test of `inmem bench`. */
export const BENCH_DURATION_MAX_MS = 24 * 60 * 60 * 1000;
/** How long `inmem bench` sends and reads without the event loop, after which timers and signals are noticed. */
export const BENCH_SLICE_MS = 20;
/** The most connections that one call of `epoll_wait` reports to `inmem bench`. */
export const DESCRIPTOR_EVENTS_MAX_COUNT = 256;
/** How long a bulk stream reads the last replies after a write has failed. */
export const BULK_LAST_REPLIES_MS = 1_000;
/** The most commands that the piped client has in flight, a power of two: enough to keep a connection busy. */
export const PIPED_IN_FLIGHT_MAX_COUNT = 4_096;
/** The most kinds of refusals, by code and command, about which one run of the piped client gives advice. */
export const PIPED_ADVICE_MAX_COUNT = 100;
/** The most databases of a file that a message about its import names, so that the message fits a screen. */
export const DATABASES_NAMED_MAX_COUNT = 16;
/**
 * The bytes of replies for a slow reader of the output beyond which the piped client reads no more replies. This
 * happens only when replies become much larger while many requests are in flight.
 */
export const OUTPUT_HELD_MAX_BYTES = 64 * 1024 * 1024;
/** The length of a line for which the piped client keeps a buffer. */
export const LINE_SIZE_KEEP_BYTES = 64 * 1024;
/** The most lines of history that the interactive client keeps. */
export const HISTORY_MAX_COUNT = 1_000;
/** The most characters of history that the interactive client keeps, in UTF-16 units. */
export const HISTORY_MAX_CHARACTERS = 4 * 1024 * 1024;
/** The longest line that is written to the history file. */
export const HISTORY_LINE_MAX_BYTES = 64 * 1024;
/** The largest history file. Of a larger one only this many bytes at its end are read, and the file is cut. */
export const HISTORY_FILE_MAX_BYTES = 8 * 1024 * 1024;
/**
 * The longest text at the prompt, in UTF-16 units. Each key copies the text. Longer values come from a file or a pipe.
 */
export const EDITED_TEXT_MAX_CHARACTERS = 4 * 1024 * 1024;
/** The most bytes that are typed or pasted while a command runs. More are dropped, and the user is notified. */
export const TYPED_AHEAD_MAX_BYTES = 32 * 1024 * 1024;
/** The number of texts that undo can restore. */
export const UNDO_MAX_COUNT = 100;
/** The longest text that is kept for undo. */
export const UNDO_TEXT_MAX_CHARACTERS = 64 * 1024;
/** The longest sequence of a key that begins with Escape. A longer sequence is not a key. */
export const KEY_SEQUENCE_MAX_BYTES = 64;
/** How long an Escape waits for the rest of a sequence before it counts as the Escape key. */
export const ESCAPE_KEY_DELAY_MS = 50;
/** The longest value that a terminal shows completely, in characters as they are shown. */
export const SHOWN_VALUE_MAX_CHARACTERS = 4_096;
/** The fewest items of a reply that are counted for the user. */
export const COUNTED_ITEMS_MIN_COUNT = 11;
/** The shortest time of a reply that is shown to the user. */
export const SLOW_REPLY_MIN_MS = 500;
/** The most repetitions of a command at the prompt, as in `5 ping`. */
export const REPEAT_MAX_COUNT = 1_000_000;
/** The longest line at the prompt for which a hint is computed, in UTF-16 units. */
export const HINTED_LINE_MAX_CHARACTERS = 4_096;
/** The most names of keys that the Tab key offers. */
export const COMPLETION_NAMES_MAX_COUNT = 100;
/** The keys that one request for a completion looks at. */
export const COMPLETION_SCAN_COUNT = 1_000;
/** How long a completion continues to ask for keys. The user can type meanwhile. */
export const COMPLETION_ASK_MAX_MS = 50;
/** How long a client that ends waits for the terminal to take its output. */
export const OUTPUT_END_MAX_MS = 1_000;
/** A client that has stopped itself continues if it finds that it still runs after this time. */
export const STOP_CHECK_MS = 200;
/** The buffer from which `inmem import` reads, which grows for larger values. */
export const IMPORT_BUFFER_BYTES = 512 * 1024;
/** The largest packed collection of an RDB file. Redis writes some kilobytes unless it is configured otherwise. */
export const IMPORT_PACKED_MAX_BYTES = 128 * 1024 * 1024;
/** An import hands its requests to the stream when they have this size. */
export const IMPORT_BATCH_BYTES = 64 * 1024;
/** A request with parts of a value is complete when it has this size. */
export const IMPORT_REQUEST_BYTES = 64 * 1024;
/** A request with parts of a value is complete when it has this many parts: more would run in steps. */
export const IMPORT_REQUEST_PARTS_COUNT = 500;
/** The most requests of an import without a reply, so that few keys are in doubt when the connection is lost. */
export const IMPORT_IN_FLIGHT_COUNT = 8_192;
/** The most requests, in bytes, that wait until it is known which keys exist. */
export const IMPORT_HELD_BYTES = 512 * 1024;
/** The most keys that wait until it is known which of them exist. */
export const IMPORT_HELD_KEYS_COUNT = 2_048;
/** The keys that one `scan` of an export visits. */
export const EXPORT_SCAN_COUNT = 500;
/** A value that uses more memory than this is exported in parts of about this size. */
export const EXPORT_PART_BYTES = 256 * 1024;
/** The most elements or fields in a part. */
export const EXPORT_PARTS_MAX_COUNT = 2_000;
/** The values that an export reads at a time, by the memory that they use. */
export const EXPORT_BATCH_BYTES = 4 * 1024 * 1024;
/** An export writes to its file when it has this much. */
export const EXPORT_WRITE_BYTES = 256 * 1024;
/** How often the progress line on a terminal is redrawn. */
export const PROGRESS_REDRAW_INTERVAL_MS = 100;
/** How often a line of progress is appended on a terminal that cannot redraw. */
export const PROGRESS_APPEND_INTERVAL_MS = 10_000;
/** The time over which the progress line averages the rate. */
export const PROGRESS_RATE_WINDOW_MS = 5_000;

// Certificates and secrets.

/** How long a local authority is valid. */
export const AUTHORITY_VALID_DAYS = 3_650;
/** How long a server certificate is valid. Browsers and Apple's TLS refuse more than 825 days. */
export const CERTIFICATE_VALID_DAYS = 730;
/** A generated server certificate that is valid for less than this is replaced at start. */
export const CERTIFICATE_RENEW_DAYS = 30;
/** The largest key or password file. */
export const PRIVATE_FILE_MAX_BYTES = 1024 * 1024;
/** The largest file of certificates. The public roots of a system take 0.2 MB, ten thousand authorities 20 MB. */
export const CERTIFICATES_FILE_MAX_BYTES = 32 * 1024 * 1024;
/**
 * The most authorities in a file whose dates are watched. A file with more is a public bundle, of which some are always
 * expiring.
 */
export const AUTHORITIES_WATCHED_MAX_COUNT = 16;
/** The shortest RSA key that the TLS library accepts. */
export const RSA_KEY_MIN_BITS = 2_048;
/** The longest password that may be typed at the question for one. */
export const PASSWORD_TYPED_MAX_BYTES = 512;
/** How often the client asks for a password. */
export const PASSWORD_TRIES_MAX_COUNT = 3;
/** The most contexts of a user. */
export const CONTEXTS_MAX_COUNT = 1_000;
/** The most passwords that are valid at a time: the old and the new one during a change. */
export const PASSWORDS_MAX_COUNT = 2;

// Observation of keys.

/** The number of keys that the sketch of hot keys holds. A key with 1 % of the requests has its place in it. */
export const HOT_KEYS_COUNT = 128;
/** The time after which a use of a key counts e times less. Ten seconds of a burst are then two thirds of its rate. */
export const HOT_KEYS_WINDOW_MS = 10_000;
/**
 * A key is reported as hot from this number of measured uses on, so that a single one does not stand for hundreds. It
 * is also more than one look at a key on a page takes, which a server cannot tell from other requests of a proxy.
 */
export const HOT_KEYS_SAMPLES_MIN_COUNT = 8;
/** A key that is used less often than this in a second is not reported as hot. */
export const HOT_KEYS_MIN_PER_SECOND = 1;
/** The number of keys that the table of big keys holds for each measure: bytes, and elements. */
export const BIG_KEYS_COUNT = 64;
/** How often the sizes of the known big keys are looked up again. */
export const BIG_KEYS_REFRESH_INTERVAL_MS = 2_000;
/** The number of rows with which `hotkeys` and `bigkeys` reply unless the request says another one. */
export const TOP_ROWS_DEFAULT_COUNT = 10;
/** The most keys of one request that are counted or measured. Others of a longer request are passed over evenly. */
export const OBSERVED_KEYS_MAX_COUNT = 16;
/** The bytes of a key that are shown where only text is shown. */
export const KEY_TEXT_MAX_BYTES = 64;

// Problems that operators should know.

/** A value is a problem from this size on: copying or sending it takes some ten ms. */
export const BIG_KEY_PROBLEM_BYTES = 32 * 1024 * 1024;
/** A value is a problem from this number of elements on. */
export const BIG_KEY_PROBLEM_ELEMENTS_COUNT = 500_000;
/** A key is a problem if at least this part of a server's requests use it, provided that the server is busy. */
export const HOT_KEY_PROBLEM_SHARE = 0.2;
/** A server is busy when a key is used this often in a second. */
export const HOT_KEY_PROBLEM_PER_SECOND = 1_000;
/** Memory is nearly full from this part of its limit on. */
export const MEMORY_PROBLEM_SHARE = 0.95;
/** Eviction is a problem while a smaller part of reads than this finds its key. */
export const EVICTION_PROBLEM_HIT_RATIO = 0.8;
/** The fewest reads from which that part is computed. */
export const EVICTION_PROBLEM_LOOKUPS_MIN_COUNT = 1_000;
/** A role has many clients from this part of its limit on. */
export const CLIENTS_PROBLEM_SHARE = 0.9;
/** The days before a certificate expires from which on it is a problem. */
export const EXPIRY_PROBLEM_DAYS = 30;
/** The days before a certificate expires from which on it is a critical problem. */
export const EXPIRY_CRITICAL_DAYS = 7;
/** Commands are slow when one of a hundred takes this long. */
export const SLOW_PROBLEM_MS = 50;
/** The fewest commands a second of which some can be slow. Of fewer, a single one would count. */
export const SLOW_PROBLEM_PER_SECOND = 100;

// Diagnosis.

/** The most words of a request in the slow log, as in Redis. */
export const SLOW_LOG_WORDS_MAX_COUNT = 32;
/** The longest word of a request in the slow log without a remark about the rest, as in Redis. */
export const SLOW_LOG_WORD_MAX_BYTES = 128;
/** The estimated memory of an entry of the slow log, without its words. */
export const SLOW_LOG_ENTRY_BYTES = 256;
/** The most memory of the slow log. Entries of the usual size are below 1 kB. */
export const SLOW_LOG_MAX_BYTES = 16 * 1024 * 1024;
/** The largest setting of the number of entries. More would not fit into SLOW_LOG_MAX_BYTES. */
export const SLOW_LOG_MAX_COUNT = 65_536;
/** The most words of a request that `monitor` shows. A longer line would hold up all clients while it is composed. */
export const MONITOR_WORDS_MAX_COUNT = 128;
/** The longest word that `monitor` shows without a remark about the rest. */
export const MONITOR_WORD_MAX_BYTES = 1024;
/** The most kinds of events with a history of latencies. There are about ten. */
export const LATENCY_EVENTS_MAX_COUNT = 64;
/** The most samples of a kind of event, as in Redis. */
export const LATENCY_SAMPLES_MAX_COUNT = 160;

// The page of `--metrics`.

/** The time between two steps of the history that the page plots. */
export const HISTORY_STEP_MS = 5_000;
/** The steps that the history keeps: one hour. */
export const HISTORY_STEPS_MAX_COUNT = 720;
/** The time between two events that the page gets. */
export const PAGE_EVENT_INTERVAL_MS = 1_000;
/** How long a command of the page may take. Its route may take 20 s. */
export const PAGE_COMMAND_TIMEOUT_MS = 10_000;
/** The most clients that the page lists: those that hold the most memory. */
export const PAGE_CLIENTS_MAX_COUNT = 500;
/** The most entries of the slow log, and of the lists of hot and big keys, that the page gets. */
export const PAGE_SLOW_ENTRIES_MAX_COUNT = 128;
export const PAGE_TOP_KEYS_MAX_COUNT = 50;
/** The most bytes of a string that the page gets. */
export const PAGE_STRING_MAX_BYTES = 64 * 1024;
/** The most bytes of an element, or of an argument in the slow log, that the page gets. */
export const PAGE_ITEM_MAX_BYTES = 2 * 1024;
/** The elements that the page asks for at a time, and the most bytes that it expects them to have. */
export const PAGE_ITEMS_COUNT = 100;
export const PAGE_ITEMS_BYTES = 4 * 1024 * 1024;
/** A search for keys ends its part of the results after this many keys, or after this time. */
export const PAGE_KEYS_COUNT = 100;
export const PAGE_SEARCH_MS = 500;
/** The keys that one `scan` of a search visits: more and more of them while none matches. */
export const PAGE_SCAN_MIN_COUNT = 100;
export const PAGE_SCAN_MAX_COUNT = 3_200;
/** The shortest interval between two reports of the live tools of `inmem client`, such as `cluster --watch`. */
export const LIVE_INTERVAL_MIN_MS = 10;
/** The longest interval between two of those reports. */
export const LIVE_INTERVAL_MAX_MS = 24 * 3_600_000;
/** The most keys that one `scan` of the live tools may ask the server to visit. */
export const SCAN_PAGE_MAX_COUNT = 100_000;
/** The most keys that `--top` of the live tools may ask for. */
export const TOP_KEYS_MAX_COUNT = 1_000;
/** The pause between a reply and the next request of `--latency`, as in redis-cli. */
export const LATENCY_PAUSE_MS = 10;
/** The most bytes of a key's name that the live tools keep and show. */
export const SHOWN_KEY_MAX_BYTES = 4 * 1024;
