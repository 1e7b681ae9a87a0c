/* Otaru's update agent for firmware in C.
 *
 * Link libotaru_c.a. Fill in an otaru_board, call otaru_new once a boot, feed otaru_input_* with
 * what happens, and call otaru_poll from one loop. examples/c-client is a whole device;
 * device/README.md says what a board has to bring, and why.
 *
 * Threads: nothing here starts one, and nothing locks. All calls about one handle come from one
 * task at a time. Callbacks run inside otaru_new and otaru_poll alone, in the calling task. They
 * may take their time, and must not call any function here: those answer OTARU_ERROR_BUSY, so
 * keep what you hear meanwhile and hand it in behind the poll. One handle for one chip at a time.
 *
 * Ownership: whatever is passed to a function is copied before it returns, the callbacks'
 * context and functions excepted: they stay yours and good until otaru_free. Pointers that a
 * callback gets are good until it returns. Text ends with a zero byte and is UTF-8.
 *
 * Units: bytes, milliseconds, and seconds where a name ends in _s. Offsets on flash count from
 * the start of the chip.
 *
 * Memory: from malloc, or the board's Rust allocator. It is not asked whether there is any: a
 * refused allocation ends in abort.
 */
#ifndef OTARU_H
#define OTARU_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What functions return. Below zero is an error; of otaru_input_*, one that changed nothing. */
#define OTARU_IDLE 0           /* done; nothing more to do until something happens */
#define OTARU_AGAIN 1          /* done; poll again at once, or after other work */
#define OTARU_RESTART 2        /* restart the processor now */
#define OTARU_ERROR_INVALID -1 /* a null pointer, a missing callback, or a value that cannot be */
#define OTARU_ERROR_BUSY -2    /* called from within a callback */
#define OTARU_ERROR_FLASH -3   /* flash or the records in it failed: restart, do not go on */
#define OTARU_ERROR_NO_IMAGE -4 /* no image where one has to be */
#define OTARU_ERROR_TABLE -5   /* the partition table cannot be used: docs/flash-layout.md */

/* Numbers of docs/reasons.md. http_get and http_read return one of these negated, but that of the
 * self-test; any other negative number, as a network library has its own, is a link that is down. */
#define OTARU_REASON_DOWNLOAD_STALLED 24 /* no byte for 30 s */
#define OTARU_REASON_SERVER_ERROR 25     /* an answer that is none */
#define OTARU_REASON_TLS_ROOT_MISSING 29
#define OTARU_REASON_TLS_ROOT_EXPIRED 30
#define OTARU_REASON_TLS_UNTRUSTED 31
#define OTARU_REASON_SELF_TEST_FAILED 33
#define OTARU_REASON_LOW_MEMORY 68 /* no room for the connection, caches given back already */

/* Why the processor started. A brown-out is power; where the chip cannot tell, say power. */
#define OTARU_RESET_POWER_ON 0
#define OTARU_RESET_SOFTWARE 1
#define OTARU_RESET_PANIC 2
#define OTARU_RESET_WATCHDOG 3

/* How bad a log line is. */
#define OTARU_LOG_ERROR 1
#define OTARU_LOG_WARN 2
#define OTARU_LOG_INFO 3
#define OTARU_LOG_DEBUG 4

/* What a question comes before. */
#define OTARU_BEFORE_DOWNLOAD 1
#define OTARU_BEFORE_RESTART 2

/* What the product answers, and, where that is later, why. */
#define OTARU_DECISION_NOW 0
#define OTARU_DECISION_REFUSE 1 /* the update ends as cancelled */
#define OTARU_DECISION_LATER 2
#define OTARU_DECISION_LATER_BATTERY 3
#define OTARU_DECISION_LATER_BUSY 4

/* When somebody at the device wants what is offered. */
#define OTARU_OFFER_NOW 0
#define OTARU_OFFER_LATER 1 /* asked again after a day */
#define OTARU_OFFER_TONIGHT 2

/* A device between power-on and restart. */
typedef struct otaru otaru;

/* The head of an HTTP answer. It comes filled with "there is none": set what there is. */
typedef struct otaru_response {
    uint16_t status;           /* HTTP status */
    int64_t content_length;    /* Content-Length, or -1 */
    int64_t retry_after_s;     /* Retry-After in seconds, or -1; a date counts as none */
    char content_range[64];    /* Content-Range as it came, or empty */
    char content_encoding[16]; /* Content-Encoding as it came, or empty */
    char etag[80];             /* ETag as it came, quotes included, or empty: patches need it */
} otaru_response;

/* What the board brings. Every function gets `context` first. All but wall_ms, apply_setting,
 * ask, show_offer and log are required. */
typedef struct otaru_board {
    void *context;

    /* Flash. Offsets and lengths are multiples of 4, of an erase of 4096. They return 0 when the
     * chip is done, anything else when it failed; nothing is cached. A write may find bits that
     * are 0 already. What is written is read back, so a torn write needs no care. */
    int32_t (*flash_read)(void *context, uint32_t offset, uint8_t *bytes, uint32_t length);
    int32_t (*flash_write)(void *context, uint32_t offset, const uint8_t *bytes, uint32_t length);
    int32_t (*flash_erase)(void *context, uint32_t offset, uint32_t length);

    /* Milliseconds since this boot; never backwards. */
    uint64_t (*uptime_ms)(void *context);
    /* Milliseconds since 1970, or -1 as long as the clock was not set. Optional. */
    int64_t (*wall_ms)(void *context);
    /* Fills with random bytes that nobody can guess, and returns 0. */
    int32_t (*random)(void *context, uint8_t *bytes, uint32_t length);

    /* Publishes with QoS 0 or 1. A message that cannot be sent may be dropped: it is said again.
     * What is returned is not looked at. The topic is UTF-8, the payload bytes. */
    int32_t (*publish)(void *context, const char *topic, const uint8_t *payload, uint32_t length,
                       uint8_t qos);
    /* One SUBSCRIBE with all these topics and QoS 1. When SUBACK granted every one of them, call
     * otaru_input_subscribed; otherwise nothing, and it asks for a disconnect after a while. */
    int32_t (*subscribe)(void *context, const char *const *topics, uint32_t count);
    /* End the broker's session and begin another; otaru_input_link_down follows. */
    void (*disconnect)(void *context);

    /* GET of `path` at the device's server, and the head of the answer. `path` may have a query
     * behind a `?`. `offset` above 0 asks for the rest with `Range: bytes=OFFSET-`, and with
     * `If-Range: ETAG` (quotes included) unless etag is null; otherwise neither is sent. The agent
     * follows no redirect: where the server sends downloads elsewhere (docs/downloads.md), follow
     * one in here, to HTTPS, without the device's certificate. Returns 0 with *response filled in
     * and the body to be read, or a negated reason, and then there is nothing to close. */
    int32_t (*http_get)(void *context, const char *path, uint32_t offset, const char *etag,
                        otaru_response *response);
    /* The next bytes of the body, at most `length`: how many, 0 at its end, or a negated reason.
     * A body that ends before its Content-Length is a failure, and so are 30 s without a byte. One
     * that comes with less than 256 bytes a second, over a minute in here by uptime_ms, is given
     * up by the agent. */
    int32_t (*http_read)(void *context, uint8_t *bytes, uint32_t length);
    /* The request is over, whether or not its body was read to the end. Once for each http_get
     * that returned 0. */
    void (*http_close)(void *context);

    /* Begin the product's self-test; answer with otaru_input_self_test, later. */
    void (*self_test)(void *context);
    /* A wanted setting, as a name and its JSON value; also each one in force, behind a boot.
     * Returns 0 if it is applied. Without this function every setting is refused. Optional. */
    int32_t (*apply_setting)(void *context, const char *name, const char *json);
    /* May this update go on? `before` is OTARU_BEFORE_..., `size` the length of its image. Answer
     * with otaru_input_decision, later; no answer within a minute counts as later. A question takes
     * back the one before it: answer the last alone. Without this function nothing is asked.
     * Optional. */
    void (*ask)(void *context, uint8_t before, const char *version, uint64_t size);
    /* Show this release as one that can be installed; with a null version, nothing any more.
     * What somebody at the device decides is otaru_input_offer. Optional. */
    void (*show_offer)(void *context, const char *version, uint64_t size);
    /* Restart the processor. If it returns, otaru_poll returns OTARU_RESTART. */
    void (*restart)(void *context);
    /* A line for the device's log: OTARU_LOG_..., a reason's number or 0, and text. Optional. */
    void (*log)(void *context, uint8_t level, uint8_t reason, const char *message);
} otaru_board;

/* What the device is. */
typedef struct otaru_config {
    const char *thing;        /* its name, which is its MQTT client id, too */
    const char *name_space;   /* `namespace` of device.toml: first level of its topics */
    const char *product;      /* its product */
    const char *chip;         /* its chip, as the product has it: esp32c3 */
    const uint8_t *root_key;  /* the public root key it trusts, as docs/formats.md has it */
    uint32_t root_key_length; /* 32 for Ed25519, 65 for P-256 */
    uint32_t flash_bytes;     /* length of the chip */
    int64_t built_at_s;       /* when this firmware was built, seconds since 1970, or 0 */
    int32_t chip_revision;    /* major * 100 + minor, or -1 where it cannot tell */
    uint8_t slot;             /* the slot that runs: 0 for ota_0, 1 for ota_1 */
    uint8_t reset;            /* OTARU_RESET_... */
    uint8_t full_images;      /* 1: never fetch patches; 0: wherever the server has them */
    /* A part of every day in which new firmware may be started, by local time: minutes after
     * midnight, 0 to 1439. Over midnight where it closes before it opens; all day where both are
     * the same, as 0 and 0. Kept only where wall_ms tells the time. */
    uint16_t restart_opens_minute;
    uint16_t restart_closes_minute;
    int16_t ahead_of_utc_minutes; /* how far local time is ahead of UTC: -720 to 840 */
} otaru_config;

/* Looks at flash and starts the agent, once a boot; the link comes up behind it. Hashes what runs,
 * and what was given up: a second for each MiB of it, on a small chip.
 * OTARU_IDLE, and a handle in *out for otaru_free; or an error, and null in *out. */
int32_t otaru_new(const otaru_board *board, const otaru_config *config, otaru **out);

/* Ends it, and a request that is under way. Nothing is lost: what has to survive is on flash
 * already. Null does nothing; a handle is freed once, and not from within a callback. */
void otaru_free(otaru *device);

/* The broker accepted the session; it is gone. OTARU_IDLE or an error; poll next. */
int32_t otaru_input_link_up(const otaru *device);
int32_t otaru_input_link_down(const otaru *device);

/* Every topic of `subscribe` was granted. OTARU_IDLE or an error; poll next. */
int32_t otaru_input_subscribed(const otaru *device);

/* A message came, of whatever topic: what is not for the agent is passed over. Messages may come
 * twice and late. Up to 8 KiB, `documents` up to twice that. OTARU_IDLE or an error; poll next. */
int32_t otaru_input_message(const otaru *device, const char *topic, const uint8_t *payload,
                            uint32_t length);

/* The self-test ended: 0 if the firmware is good enough to stay, otherwise the reason's number.
 * Not from within `self_test`. OTARU_IDLE or an error; poll next. */
int32_t otaru_input_self_test(const otaru *device, uint8_t reason);

/* The product's answer to `ask`: OTARU_DECISION_..., and with later, for how long at most: up to a
 * week. OTARU_IDLE or an error; poll next. */
int32_t otaru_input_decision(const otaru *device, uint8_t decision, uint64_t wait_ms);

/* What the product would answer has changed, as when somebody pressed a button: an open or put
 * off question is asked at once. OTARU_IDLE or an error; poll next. */
int32_t otaru_input_decision_changed(const otaru *device);

/* Somebody at the device decided about the release of `show_offer`: OTARU_OFFER_...
 * OTARU_IDLE or an error; poll next. */
int32_t otaru_input_offer(const otaru *device, const char *version, uint8_t decision);

/* Does one piece of work: at most one read of a connection and the erase of a sector or two, one
 * document fetched whole, or the hash of one image. A document may take 90 s and its last
 * http_read. OTARU_AGAIN, OTARU_IDLE, OTARU_RESTART, or an error, behind which only otaru_free is
 * of use. */
int32_t otaru_poll(const otaru *device);

/* The uptime at which to poll though nothing happened; UINT64_MAX for never. Early or late does
 * no harm. */
uint64_t otaru_wake_at_ms(const otaru *device);

/* For a first stage of your own: which slot to start, 0 or 1, in *slot, as ESP-IDF's bootloader
 * chooses with rollback on. Settles the boot selector, so call it once a boot, before
 * otaru_new. Needs the flash functions of the board alone. Not behind ESP-IDF's bootloader, which
 * has done it already. OTARU_IDLE or an error. */
int32_t otaru_choose_slot(const otaru_board *board, uint32_t flash_bytes, const char *chip,
                          uint8_t *slot);

#ifdef __cplusplus
}
#endif

#endif
