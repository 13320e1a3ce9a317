/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts: the codecs by name, the window that moves over the input, the gzip frame around the stream, CRC-32.
 */
#include <stdlib.h>
#include <string.h>

#include "core.h"

static const uint8_t header_go[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff};
static const uint8_t header_fastest[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff};
static const uint8_t header_best[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff};
/* pgzip writes the time of year 1, cut to 32 bits. */
static const uint8_t header_pgzip[10] = {0x1f, 0x8b, 8, 0, 0, 0x09, 0x6e, 0x88, 0, 0xff};

#define GO_LAZY(level, header, lazy_, nice_, chain_) \
    {.name = "go1.8-1.26/" level, .step = go_lazy_step, .end = go_end, .gzip_header = header, \
     .lazy = lazy_, .nice = nice_, .chain = chain_}
#define GO127(level, header, finder, ...) \
    {.name = "go1.27/" level, .step = kp_step, .end = kp_end, .gzip_header = header, .find = finder, \
     .counts_owed_end = true, __VA_ARGS__}
#define PGZIP(name_, ...) \
    {.name = "pgzip/kp-" name_, .step = kp_step, .end = kp_end, .gzip_header = header_pgzip, .find = kp_find_level5, \
     .is_piecewise = true, __VA_ARGS__}
#define FUSED .fused_multiply_add = true

static const codec codecs[] = {
    GO_LAZY("6", header_go, 16, 128, 128),
    {.name = "go1.8-1.26/1", .step = go_fast_step, .end = go_end, .gzip_header = header_fastest},
    GO_LAZY("4", header_go, 4, 16, 16),
    GO_LAZY("5", header_go, 16, 32, 32),
    GO_LAZY("7", header_go, 32, 128, 256),
    GO_LAZY("8", header_go, 128, 258, 1024),
    GO_LAZY("9", header_best, 258, 258, 4096),
    GO127("6", header_go, go127_find_level6, .fused_multiply_add = false),
    GO127("1", header_fastest, go127_find_level1, .fused_multiply_add = false),
    GO127("6/fma", header_go, go127_find_level6, FUSED),
    GO127("1/fma", header_fastest, go127_find_level1, FUSED),
    PGZIP("1.18.2+/5", .counts_owed_end = true),
    PGZIP("1.18.1/5", .counts_owed_end = false),
    PGZIP("1.15.10..1.18.0/5", .sends_all_codes = true),
    PGZIP("1.18.2+/5/fma", .counts_owed_end = true, FUSED),
    PGZIP("1.18.1/5/fma", .counts_owed_end = false, FUSED),
    PGZIP("1.15.10..1.18.0/5/fma", .sends_all_codes = true, FUSED),
};

static const codec *codec_named(const char *name)
{
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        if (strcmp(codecs[i].name, name) == 0)
            return &codecs[i];
    return NULL;
}

/* ---- CRC-32, eight bytes at a time ---- */

static void crc_build(context *c)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
        c->crc_table[0][byte] = crc;
    }
    for (int i = 1; i < 8; i++)
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t before = c->crc_table[i - 1][byte];
            c->crc_table[i][byte] = before >> 8 ^ c->crc_table[0][before & 0xff];
        }
}

static void crc_add(context *c, const uint8_t *data, size_t size)
{
    uint32_t crc = ~c->crc;
    for (; size >= 8; size -= 8, data += 8) {
        uint32_t low = load32(data) ^ crc, high = load32(data + 4);
        crc = 0;
        for (int i = 0; i < 4; i++)
            crc ^= c->crc_table[7 - i][low >> 8 * i & 0xff] ^ c->crc_table[3 - i][high >> 8 * i & 0xff];
    }
    for (; size > 0; size--, data++)
        crc = crc >> 8 ^ c->crc_table[0][(crc ^ *data) & 0xff];
    c->crc = ~crc;
}

/* ---- The window ---- */

static void move_back(uint32_t *position, uint32_t step) { *position = *position > step ? *position - step : 0; }

/* Make room for input. Where there is none although the window was moved, a step is due. */
static void move_window(context *c)
{
    if (c->position < WINDOW_KEPT + WINDOW_STEP)
        return;
    uint32_t step = (c->position - WINDOW_KEPT) / WINDOW_STEP * WINDOW_STEP;
    memmove(c->data, c->data + step, c->end - step);
    for (size_t i = 0; i < sizeof c->table.all / sizeof *c->table.all; i++)
        move_back(&c->table.all[i], step);
    c->end -= step;
    c->position -= step;
    c->window_start -= c->window_start > step ? step : c->window_start;
    move_back(&c->block, step);
    move_back(&c->base, step);
}

static size_t take_input(context *c, const uint8_t *input, size_t size)
{
    if (c->end == WINDOW_SIZE)
        move_window(c);
    size_t taken = WINDOW_SIZE - c->end;
    if (taken > size)
        taken = size;
    memcpy(c->data + c->end, input, taken);
    crc_add(c, input, taken);
    c->end += (uint32_t)taken;
    c->total += taken;
    return taken;
}

/* ---- Output ---- */

static size_t give_output(context *c, uint8_t *into, size_t capacity)
{
    size_t given = c->out.state.size - c->out.taken;
    if (given > capacity)
        given = capacity;
    memcpy(into, c->out.data + c->out.taken, given);
    c->out.taken += (uint32_t)given;
    if (c->out.taken == c->out.state.size)
        c->out.taken = c->out.state.size = 0;
    return given;
}

/* ---- Interface ---- */

int recode_abi_version(void) { return RECODE_ABI_VERSION; }

size_t recode_context_size(void) { return sizeof(context); }

int recode_knows(const char *name) { return codec_named(name) != NULL; }

context *recode_new(const char *name)
{
    const codec *named = codec_named(name);
    context *c = named ? calloc(1, sizeof *c) : NULL;
    if (c == NULL)
        return NULL;
    c->codec = named;
    c->end = c->position = c->window_start = c->block = c->base = WINDOW_FIRST;
    c->held_length = 3;
    c->piece_left = 1 << 20;
    crc_build(c);
    huffman_fixed(&c->fixed_literals, &c->fixed_distances);
    put_bytes(&c->out, named->gzip_header, 10);
    return c;
}

void recode_free(context *c) { free(c); }

int recode_write(context *c, const unsigned char *input, size_t size, unsigned char *into, size_t capacity,
                 size_t *consumed, size_t *produced)
{
    *consumed = *produced = 0;
    if (c->is_complete)
        return RECODE_USAGE;
    for (;;) {
        if (c->out.state.overflow)
            return RECODE_BROKEN;
        *produced += give_output(c, into + *produced, capacity - *produced);
        if (c->out.state.size != 0)
            return RECODE_OK;
        if (c->codec->step(c))
            continue;
        if (*consumed == size)
            return RECODE_OK;
        size_t taken = take_input(c, input + *consumed, size - *consumed);
        if (taken == 0)
            return RECODE_BROKEN;
        *consumed += taken;
    }
}

int recode_finish(context *c, unsigned char *into, size_t capacity, size_t *produced)
{
    *produced = 0;
    c->is_complete = true;
    for (;;) {
        if (c->out.state.overflow)
            return RECODE_BROKEN;
        *produced += give_output(c, into + *produced, capacity - *produced);
        if (c->out.state.size != 0)
            return RECODE_MORE;
        if (c->is_ended)
            return RECODE_OK;
        if (c->codec->step(c))
            continue;
        c->codec->end(c);
        put_bits(&c->out, c->crc, 32);
        put_bits(&c->out, c->total & 0xffffffff, 32);
        c->is_ended = true;
    }
}
