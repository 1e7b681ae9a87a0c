/* A whole device in C: flash in a file, a network of recorded files, one update.
 *
 *   c-client FOLDER ROOT_KEY_HEX
 *
 * FOLDER holds flash.bin, a chip as it left the factory; get-accepted.json, what the broker
 * answers a read of the shadow with; and the server's documents, their paths with '_' for '/'.
 * Put MQTT over TLS, HTTPS and a driver in the places of `publish`, `http_get` and `flash_read`.
 */
#include <otaru.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLASH_BYTES (4u << 20)
#define CHIP "esp32c3"
#define TOPIC "$aws/things/clock-01/shadow/"
#define MESSAGES_MAX 8
#define BOOTS_MAX 5

typedef struct message {
    char topic[96];
    char *payload;
} message;

typedef struct device {
    const char *folder;
    FILE *flash;
    FILE *body; /* of the request under way */
    uint64_t uptime_ms;
    message inbox[MESSAGES_MAX]; /* heard, and not handed in yet */
    int heard;
    bool is_subscribed;
    bool tests_itself;
    bool is_over; /* the device has said how the update ended */
    bool is_confirmed;
} device;

static void fail(const char *what) {
    fprintf(stderr, "c-client: %s\n", what);
    exit(1);
}

static FILE *open_file(const device *self, const char *name, const char *mode) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", self->folder, name);
    return fopen(path, mode);
}

/* Flash: on a chip these are the driver. */

static int32_t flash_read(void *context, uint32_t offset, uint8_t *bytes, uint32_t length) {
    device *self = context;
    if (fseek(self->flash, offset, SEEK_SET) != 0) return -1;
    return fread(bytes, 1, length, self->flash) == length ? 0 : -1;
}

/* NOR: bits go from 1 to 0. */
static int32_t flash_write(void *context, uint32_t offset, const uint8_t *bytes, uint32_t length) {
    device *self = context;
    for (uint32_t at = 0; at < length; at += 4) {
        uint8_t cells[4];
        if (flash_read(self, offset + at, cells, 4) != 0) return -1;
        for (int i = 0; i < 4; i++) cells[i] &= bytes[at + i];
        if (fseek(self->flash, offset + at, SEEK_SET) != 0) return -1;
        if (fwrite(cells, 1, 4, self->flash) != 4) return -1;
    }
    return fflush(self->flash);
}

static int32_t flash_erase(void *context, uint32_t offset, uint32_t length) {
    device *self = context;
    if (fseek(self->flash, offset, SEEK_SET) != 0) return -1;
    for (uint32_t at = 0; at < length; at++) {
        if (fputc(0xFF, self->flash) == EOF) return -1;
    }
    return fflush(self->flash);
}

/* Time and chance. */

static uint64_t uptime_ms(void *context) {
    return ((device *)context)->uptime_ms;
}

static int32_t random_bytes(void *context, uint8_t *bytes, uint32_t length) {
    (void)context;
    FILE *source = fopen("/dev/urandom", "rb");
    if (!source) return -1;
    size_t read = fread(bytes, 1, length, source);
    fclose(source);
    return read == length ? 0 : -1;
}

/* MQTT. A callback may not call the agent back: what the broker says waits in the inbox. */

static void hear(device *self, const char *topic, char *payload) {
    if (self->heard == MESSAGES_MAX) fail("the inbox is full");
    message *next = &self->inbox[self->heard++];
    snprintf(next->topic, sizeof next->topic, "%s", topic);
    next->payload = payload;
}

static char *whole_file(const device *self, const char *name) {
    FILE *file = open_file(self, name, "rb");
    if (!file) fail(name);
    char *text = calloc(1, 8192);
    if (!text || fread(text, 1, 8191, file) == 0) fail(name);
    fclose(file);
    return text;
}

static int32_t publish(void *context, const char *topic, const uint8_t *payload, uint32_t length,
                       uint8_t qos) {
    (void)qos;
    device *self = context;
    if (strcmp(topic, TOPIC "get") == 0) {
        hear(self, TOPIC "get/accepted", whole_file(self, "get-accepted.json"));
    } else if (strcmp(topic, TOPIC "update") == 0) {
        /* The service takes it: it says the same again, with a version. */
        char *accepted = malloc(length + 16);
        if (!accepted) fail("no memory");
        memcpy(accepted, payload, length - 1);
        strcpy(accepted + length - 1, ",\"version\":2}");
        printf("reported %.*s\n", (int)length, (const char *)payload);
        self->is_over |= strstr(accepted, "\"outcome\":\"") != NULL;
        self->is_confirmed |= strstr(accepted, "\"outcome\":\"confirmed\"") != NULL;
        hear(self, TOPIC "update/accepted", accepted);
    }
    return 0;
}

static int32_t subscribe(void *context, const char *const *topics, uint32_t count) {
    (void)topics;
    ((device *)context)->is_subscribed = count > 0;
    return 0;
}

static void disconnect(void *context) {
    (void)context;
    fail("the agent gave the link up");
}

/* HTTPS. */

static int32_t http_get(void *context, const char *path, uint32_t offset, const char *etag,
                        otaru_response *response) {
    (void)etag;
    device *self = context;
    char name[256];
    snprintf(name, sizeof name, "%s", path + 1);
    for (char *at = name; *at; at++) {
        if (*at == '/') *at = '_';
    }
    self->body = open_file(self, name, "rb");
    response->status = self->body ? 200 : 404;
    if (!self->body) return 0;
    fseek(self->body, 0, SEEK_END);
    long total = ftell(self->body);
    fseek(self->body, offset, SEEK_SET);
    response->content_length = total - (long)offset;
    /* On a board the header as it came: it tells one patch from the next. */
    snprintf(response->etag, sizeof response->etag, "\"%ld\"", total);
    if (offset > 0) {
        response->status = 206;
        snprintf(response->content_range, sizeof response->content_range, "bytes %lu-%ld/%ld",
                 (unsigned long)offset, total - 1, total);
    }
    return 0;
}

static int32_t http_read(void *context, uint8_t *bytes, uint32_t length) {
    device *self = context;
    return self->body ? (int32_t)fread(bytes, 1, length, self->body) : 0;
}

static void http_close(void *context) {
    device *self = context;
    if (self->body) fclose(self->body);
    self->body = NULL;
}

/* The product. */

static void self_test(void *context) {
    ((device *)context)->tests_itself = true;
}

static void restart(void *context) {
    (void)context;
    printf("restart\n");
}

static void log_line(void *context, uint8_t level, uint8_t reason, const char *text) {
    (void)context;
    printf("log %u %u %s\n", level, reason, text);
}

/* Hands in what happened since the last poll. */
static void hand_in(device *self, otaru *agent) {
    if (self->is_subscribed) {
        self->is_subscribed = false;
        otaru_input_subscribed(agent);
    }
    if (self->tests_itself) {
        self->tests_itself = false;
        otaru_input_self_test(agent, 0);
    }
    for (int i = 0; i < self->heard; i++) {
        const message *heard = &self->inbox[i];
        otaru_input_message(agent, heard->topic, (const uint8_t *)heard->payload,
                            (uint32_t)strlen(heard->payload));
        free(heard->payload);
    }
    self->heard = 0;
}

/* One boot, until the device restarts or has said how the update ended. */
static void run(device *self, const otaru_board *board, otaru_config *config) {
    int32_t chosen = otaru_choose_slot(board, FLASH_BYTES, CHIP, &config->slot);
    if (chosen != OTARU_IDLE) fail("nothing starts");
    printf("boot from slot %u\n", config->slot);
    self->uptime_ms = 0;
    otaru *agent = NULL;
    if (otaru_new(board, config, &agent) != OTARU_IDLE) fail("the agent does not start");
    otaru_input_link_up(agent);
    while (!self->is_over) {
        hand_in(self, agent);
        int32_t polled = otaru_poll(agent);
        if (polled < 0) fail("flash failed");
        if (polled == OTARU_RESTART) break;
        self->uptime_ms += 1;
        bool has_heard = self->heard > 0 || self->is_subscribed || self->tests_itself;
        if (polled == OTARU_IDLE && !has_heard) {
            /* Here a device sleeps until something happens, or until then. */
            uint64_t wake_at = otaru_wake_at_ms(agent);
            if (wake_at == UINT64_MAX) fail("it waits for ever");
            if (wake_at > self->uptime_ms) self->uptime_ms = wake_at;
        }
    }
    otaru_free(agent);
    for (int i = 0; i < self->heard; i++) free(self->inbox[i].payload);
    self->heard = 0;
}

int main(int count, char **arguments) {
    if (count != 3) fail("usage: c-client FOLDER ROOT_KEY_HEX");
    device self = {.folder = arguments[1]};
    uint8_t root_key[65];
    uint32_t length = (uint32_t)strlen(arguments[2]) / 2;
    if (length > sizeof root_key) fail("the root key is too long");
    for (uint32_t at = 0; at < length; at++) {
        if (sscanf(arguments[2] + 2 * at, "%2hhx", &root_key[at]) != 1) fail("not a key");
    }
    self.flash = open_file(&self, "flash.bin", "r+b");
    if (!self.flash) fail("there is no flash.bin");

    otaru_board board = {
        .context = &self,
        .flash_read = flash_read,
        .flash_write = flash_write,
        .flash_erase = flash_erase,
        .uptime_ms = uptime_ms,
        .random = random_bytes,
        .publish = publish,
        .subscribe = subscribe,
        .disconnect = disconnect,
        .http_get = http_get,
        .http_read = http_read,
        .http_close = http_close,
        .self_test = self_test,
        .restart = restart,
        .log = log_line,
    };
    otaru_config config = {
        .thing = "clock-01",
        .name_space = "mia",
        .product = "clock",
        .chip = CHIP,
        .root_key = root_key,
        .root_key_length = length,
        .flash_bytes = FLASH_BYTES,
        .chip_revision = -1,
        .reset = OTARU_RESET_POWER_ON,
    };
    for (int boots = 0; boots < BOOTS_MAX && !self.is_over; boots++) {
        run(&self, &board, &config);
        config.reset = OTARU_RESET_SOFTWARE;
    }
    fclose(self.flash);
    printf("%s\n", self.is_confirmed ? "confirmed" : "not confirmed");
    return self.is_confirmed ? 0 : 1;
}
