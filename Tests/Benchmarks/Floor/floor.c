/*
 * floor: what fan-out costs in the kernel. A single-threaded epoll server of the least that a stock
 * Socket.IO client needs over WebSocket: rooms, and one write() for each delivery.
 *
 *     cc -O2 -o floor floor.c -lcrypto && ./floor PORT     ("floor: listening on PORT" when ready)
 *
 * It knows 40 (connect), 42["join","ROOM"] (answered 42["joined"]), 42["leave",…] (42["left"]) and
 * 42["message","ROOM",…], which every other member of ROOM is sent as it came. Nothing is batched:
 * that is what it is there for. Anything else from a client is ignored, or ends its connection.
 * SIGTERM ends the program.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    MAX_REQUEST = 8 * 1024,        /* bytes of a handshake; beyond: closed */
    MAX_FRAME = 1024 * 1024,       /* bytes of a frame's payload; beyond: closed */
    MAX_UNSENT = 4 * 1024 * 1024,  /* bytes a slow reader may have waiting; beyond: closed */
    MAX_ROOM_NAME = 128,           /* bytes; beyond: the join is ignored */
    READ_BYTES = 64 * 1024,        /* one read() */
    PING_SECONDS = 25,
    BUCKETS = 16384,
    EVENTS = 256,
};

struct room;

struct connection {
    int fd;
    bool open, dead, wants_write; /* open: the WebSocket handshake is done */
    uint32_t index;               /* among the members of its room */
    struct room *room;
    struct connection *next_dead;
    char *unread, *unsent;
    size_t unread_bytes, unsent_bytes;
};

struct room {
    struct room *next;
    struct connection **members;
    uint32_t count, capacity;
    size_t name_bytes;
    char name[];
};

static int poller;
static struct connection **connections; /* by descriptor */
static size_t descriptors;
static struct room *buckets[BUCKETS];
static struct connection *dead;
static unsigned char input[MAX_FRAME + MAX_REQUEST + READ_BYTES];
static unsigned char frame[MAX_FRAME + 16];
static uint64_t sessions;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void *checked(void *memory) {
    if (!memory) fail("memory");
    return memory;
}

/* Ended once the events at hand are through: some of them may be about it. */
static void doom(struct connection *one) {
    if (one->dead) return;
    one->dead = true;
    one->next_dead = dead;
    dead = one;
}

static void watch(struct connection *one, bool writable) {
    struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.fd = one->fd};
    one->wants_write = writable;
    if (epoll_ctl(poller, EPOLL_CTL_MOD, one->fd, &event) < 0) doom(one);
}

static void keep_unsent(struct connection *one, const void *bytes, size_t count) {
    if (one->unsent_bytes + count > MAX_UNSENT) {
        doom(one);
        return;
    }
    one->unsent = checked(realloc(one->unsent, one->unsent_bytes + count));
    memcpy(one->unsent + one->unsent_bytes, bytes, count);
    one->unsent_bytes += count;
    if (!one->wants_write) watch(one, true);
}

static void deliver(struct connection *one, const void *bytes, size_t count) {
    if (one->dead) return;
    if (one->unsent_bytes) {
        keep_unsent(one, bytes, count);
        return;
    }
    ssize_t written = write(one->fd, bytes, count);
    if (written == (ssize_t)count) return;
    if (written < 0 && errno != EAGAIN && errno != EINTR) {
        doom(one);
        return;
    }
    if (written < 0) written = 0;
    keep_unsent(one, (const char *)bytes + written, count - (size_t)written);
}

static void send_unsent(struct connection *one) {
    ssize_t written = write(one->fd, one->unsent, one->unsent_bytes);
    if (written < 0) {
        if (errno != EAGAIN && errno != EINTR) doom(one);
        return;
    }
    one->unsent_bytes -= (size_t)written;
    if (one->unsent_bytes) {
        memmove(one->unsent, one->unsent + written, one->unsent_bytes);
        return;
    }
    free(one->unsent);
    one->unsent = NULL;
    watch(one, false);
}

/* An unmasked final frame with this payload in `frame`; its length. */
static size_t make_frame(unsigned char opcode, const void *payload, size_t count) {
    size_t header = 2;
    frame[0] = 0x80 | opcode;
    if (count < 126) {
        frame[1] = (unsigned char)count;
    } else if (count < 65536) {
        frame[1] = 126;
        frame[2] = (unsigned char)(count >> 8);
        frame[3] = (unsigned char)count;
        header = 4;
    } else {
        frame[1] = 127;
        for (int i = 0; i < 8; i++) frame[2 + i] = (unsigned char)((uint64_t)count >> (56 - 8 * i));
        header = 10;
    }
    memcpy(frame + header, payload, count);
    return header + count;
}

static void send_text(struct connection *one, const char *text) {
    deliver(one, frame, make_frame(1, text, strlen(text)));
}

/* Rooms */

static struct room **bucket_of(const char *name, size_t count) {
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < count; i++) hash = (hash ^ (unsigned char)name[i]) * 1099511628211u;
    return &buckets[hash % BUCKETS];
}

static struct room *room_named(const char *name, size_t count, bool create) {
    struct room **bucket = bucket_of(name, count);
    for (struct room *one = *bucket; one; one = one->next)
        if (one->name_bytes == count && !memcmp(one->name, name, count)) return one;
    if (!create) return NULL;
    struct room *made = checked(calloc(1, sizeof *made + count));
    made->name_bytes = count;
    memcpy(made->name, name, count);
    made->next = *bucket;
    *bucket = made;
    return made;
}

static void leave(struct connection *one) {
    struct room *room = one->room;
    if (!room) return;
    struct connection *last = room->members[--room->count];
    room->members[one->index] = last;
    last->index = one->index;
    one->room = NULL;
    if (room->count) return;
    struct room **link = bucket_of(room->name, room->name_bytes);
    while (*link != room) link = &(*link)->next;
    *link = room->next;
    free(room->members);
    free(room);
}

static void join(struct connection *one, const char *name, size_t count) {
    leave(one);
    struct room *room = room_named(name, count, true);
    if (room->count == room->capacity) {
        room->capacity = room->capacity ? room->capacity * 2 : 8;
        room->members = checked(realloc(room->members, room->capacity * sizeof *room->members));
    }
    one->index = room->count;
    room->members[room->count++] = one;
    one->room = room;
}

static void broadcast(struct connection *from, struct room *room, const char *text, size_t count) {
    size_t length = make_frame(1, text, count);
    for (uint32_t i = 0; i < room->count; i++)
        if (room->members[i] != from) deliver(room->members[i], frame, length);
}

/* The JSON string that starts at `text`, without its quotes; NULL if there is none. */
static const char *string_at(const char *text, const char *end, size_t *count) {
    if (text >= end || *text != '"') return NULL;
    const char *close = memchr(text + 1, '"', (size_t)(end - text - 1));
    if (!close) return NULL;
    *count = (size_t)(close - text - 1);
    return *count > 0 && *count <= MAX_ROOM_NAME ? text + 1 : NULL;
}

static bool skip(const char **text, const char *end, const char *wanted) {
    size_t count = strlen(wanted);
    if ((size_t)(end - *text) < count || memcmp(*text, wanted, count)) return false;
    *text += count;
    return true;
}

static void received_text(struct connection *one, const char *text, size_t count) {
    const char *at = text, *end = text + count, *name;
    size_t name_bytes;
    if (skip(&at, end, "42[\"message\",")) {
        if (!(name = string_at(at, end, &name_bytes))) return;
        struct room *room = room_named(name, name_bytes, false);
        if (room) broadcast(one, room, text, count);
    } else if (skip(&at, end, "42[\"join\",")) {
        if (!(name = string_at(at, end, &name_bytes))) return;
        join(one, name, name_bytes);
        send_text(one, "42[\"joined\"]");
    } else if (skip(&at, end, "42[\"leave\"")) {
        leave(one);
        send_text(one, "42[\"left\"]");
    } else if (skip(&at, end, "41")) {
        doom(one);
    } else if (skip(&at, end, "40")) {
        char answer[64];
        snprintf(answer, sizeof answer, "40{\"sid\":\"s%llu\"}", (unsigned long long)sessions);
        send_text(one, answer);
    }
}

/* WebSocket */

/* Takes one frame from `bytes`; its length, 0 if it is not all there yet. */
static size_t take_frame(struct connection *one, unsigned char *bytes, size_t count) {
    if (count < 2) return 0;
    size_t header = 2, payload = bytes[1] & 0x7f;
    if (payload == 126) {
        if (count < 4) return 0;
        payload = (size_t)bytes[2] << 8 | bytes[3];
        header = 4;
    } else if (payload == 127) {
        if (count < 10) return 0;
        payload = 0;
        for (int i = 0; i < 8; i++) payload = payload << 8 | bytes[2 + i];
        header = 10;
    }
    /* Whole, masked, without extensions: nothing else is spoken here. */
    if ((bytes[0] & 0xf0) != 0x80 || !(bytes[1] & 0x80) || payload > MAX_FRAME) {
        doom(one);
        return 0;
    }
    header += 4;
    if (count < header + payload) return 0;
    const unsigned char *mask = bytes + header - 4;
    unsigned char *text = bytes + header;
    uint32_t word;
    size_t i = 0;
    memcpy(&word, mask, 4);
    for (; i + 4 <= payload; i += 4) {
        uint32_t part;
        memcpy(&part, text + i, 4);
        part ^= word;
        memcpy(text + i, &part, 4);
    }
    for (; i < payload; i++) text[i] ^= mask[i & 3];
    switch (bytes[0] & 0x0f) {
    case 1: received_text(one, (const char *)text, payload); break;
    case 8: doom(one); break;
    case 9: deliver(one, frame, make_frame(10, text, payload)); break;
    case 10: break;
    default: doom(one);
    }
    return header + payload;
}

static void open_session(struct connection *one, const char *key) {
    static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[24 + sizeof magic], accept[64], answer[256];
    unsigned char digest[SHA_DIGEST_LENGTH];
    memcpy(text, key, 24);
    memcpy(text + 24, magic, sizeof magic);
    SHA1((const unsigned char *)text, 24 + sizeof magic - 1, digest);
    EVP_EncodeBlock((unsigned char *)accept, digest, sizeof digest);
    int count = snprintf(answer, sizeof answer,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    deliver(one, answer, (size_t)count);
    one->open = true;
    snprintf(answer, sizeof answer,
        "0{\"sid\":\"e%llu\",\"upgrades\":[],\"pingInterval\":%d,\"pingTimeout\":20000,"
        "\"maxPayload\":%d}", (unsigned long long)++sessions, PING_SECONDS * 1000, MAX_FRAME);
    send_text(one, answer);
}

/* Takes the request from `bytes`; its length, 0 if it is not all there yet. */
static size_t take_request(struct connection *one, char *bytes, size_t count) {
    static const char wanted[] = "GET /socket.io/", refusal[] =
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    char *end = memmem(bytes, count, "\r\n\r\n", 4);
    if (!end || end + 4 - bytes > MAX_REQUEST) {
        if (count > MAX_REQUEST) doom(one);
        return 0;
    }
    end[2] = 0; /* The last header keeps its line end. */
    const char *key = strcasestr(bytes, "\r\nSec-WebSocket-Key:");
    if (key) key += strspn(key + 20, " ") + 20;
    if (strncmp(bytes, wanted, sizeof wanted - 1) || !strstr(bytes, "transport=websocket") ||
        !key || strcspn(key, " \r\n") != 24) {
        deliver(one, refusal, sizeof refusal - 1);
        doom(one);
        return 0;
    }
    open_session(one, key);
    return (size_t)(end + 4 - bytes);
}

static void read_from(struct connection *one) {
    size_t have = one->unread_bytes, at = 0, taken;
    if (have) memcpy(input, one->unread, have);
    ssize_t got = read(one->fd, input + have, READ_BYTES);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) doom(one);
        return;
    }
    have += (size_t)got;
    while (!one->dead && at < have) {
        taken = one->open ? take_frame(one, input + at, have - at)
                          : take_request(one, (char *)input + at, have - at);
        if (!taken) break;
        at += taken;
    }
    if (at == have) {
        free(one->unread);
        one->unread = NULL;
    } else {
        one->unread = checked(realloc(one->unread, have - at));
        memcpy(one->unread, input + at, have - at);
    }
    one->unread_bytes = have - at;
}

/* The loop */

static void accept_some(int listener) {
    for (int i = 0; i < 64; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), yes = 1;
        if (fd < 0) return;
        struct connection *one = (size_t)fd < descriptors ? calloc(1, sizeof *one) : NULL;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (!one || epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) {
            free(one);
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        one->fd = fd;
        connections[fd] = one;
    }
}

static void bury(void) {
    while (dead) {
        struct connection *one = dead;
        dead = one->next_dead;
        leave(one);
        connections[one->fd] = NULL;
        close(one->fd);
        free(one->unread);
        free(one->unsent);
        free(one);
    }
}

/* Every connection once in PING_SECONDS, some each second. */
static void ping_some(uint64_t second) {
    for (size_t fd = second % PING_SECONDS; fd < descriptors; fd += PING_SECONDS)
        if (connections[fd] && connections[fd]->open) send_text(connections[fd], "2");
}

static int listen_on(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), yes = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0) fail("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
    if (listen(listener, 4096) < 0) fail("listen");
    return listener;
}

static void add(int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (fd < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll");
}

int main(int count, char **arguments) {
    int port = count == 2 ? atoi(arguments[1]) : 0;
    if (port <= 0 || port > 65535) {
        fprintf(stderr, "usage: floor PORT\n");
        return 2;
    }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    descriptors = limit.rlim_cur < 1048576 ? limit.rlim_cur : 1048576;
    connections = checked(calloc(descriptors, sizeof *connections));

    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    signal(SIGPIPE, SIG_IGN);

    poller = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on(port), ended = signalfd(-1, &ending, SFD_CLOEXEC);
    int clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct itimerspec each_second = {.it_interval.tv_sec = 1, .it_value.tv_sec = 1};
    timerfd_settime(clock, 0, &each_second, NULL);
    add(listener);
    add(ended);
    add(clock);
    printf("floor: listening on %d\n", port);
    fflush(stdout);

    uint64_t second = 0, ticks;
    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poller, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == ended) return 0;
            if (fd == listener) {
                accept_some(listener);
            } else if (fd == clock) {
                if (read(clock, &ticks, sizeof ticks) == sizeof ticks) ping_some(second++);
            } else if (connections[fd] && !connections[fd]->dead) {
                struct connection *one = connections[fd];
                if (events[i].events & EPOLLOUT && one->unsent_bytes) send_unsent(one);
                if (events[i].events & ~EPOLLOUT && !one->dead) read_from(one);
            }
        }
        bury();
    }
}
