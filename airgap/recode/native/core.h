/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of an encoder share: the window of input, the bits of output, the tokens of a block, Huffman codes,
 * and the context that holds them all.
 */
#ifndef RECODE_CORE_H
#define RECODE_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "recode.h"

/* ---- Window ----
 * The input as far as it is still needed. A position is an offset into `data`; 0 means "none", so the input begins at
 * 1. When the window is full, it moves by a multiple of 32768 bytes, and with it each position that is kept somewhere;
 * one that falls out becomes 0. Thus no position grows with the length of the stream. */
enum {
    WINDOW_FIRST = 1,
    WINDOW_SIZE = 1 << 19,
    WINDOW_STEP = 1 << 15,
    /* Bytes kept before the current position: more than a stored block (65535) and the largest distance (32768). */
    WINDOW_KEPT = 3 << 15
};

/* ---- Blocks ---- */
enum {
    END_OF_BLOCK = 256,
    LITERAL_CODES = 286,
    DISTANCE_CODES = 30,
    LENGTH_CODES = 19, /* the symbols that code lengths are written with */
    MATCH_LEAST = 4,
    MATCH_MOST = 258,
    STORED_MOST = 65535,
    TOKENS_MOST = 65536,
    OUTPUT_SIZE = 1 << 17
};

/* A literal is its byte; a match has the top bit, length − 3 from bit 16 on, and distance − 1 below. */
typedef uint32_t token;

static inline token match_token(uint32_t length, uint32_t distance)
{
    return 1u << 31 | (length - 3) << 16 | (distance - 1);
}

static inline bool is_match(token t) { return t >> 31 != 0; }
static inline uint32_t token_length(token t) { return (t >> 16 & 0xff) + 3; }
static inline uint32_t token_distance(token t) { return (t & 0x7fff) + 1; }

/* A field of a token as DEFLATE writes it: a symbol and its extra bits. */
typedef struct {
    uint16_t symbol;
    uint8_t extra_size;
    uint16_t extra;
} field;

static inline field length_field(uint32_t length)
{
    uint32_t x = length - 3;
    if (length == MATCH_MOST)
        return (field){285, 0, 0};
    if (x < 4)
        return (field){(uint16_t)(257 + x), 0, 0};
    unsigned size = log2_floor(x) - 2;
    return (field){(uint16_t)(257 + 4 * size + (x >> size)), (uint8_t)size, (uint16_t)(x & ((1u << size) - 1))};
}

static inline field distance_field(uint32_t distance)
{
    uint32_t x = distance - 1;
    if (x < 2)
        return (field){(uint16_t)x, 0, 0};
    unsigned size = log2_floor(x) - 1;
    return (field){(uint16_t)(2 * size + (x >> size)), (uint8_t)size, (uint16_t)(x & ((1u << size) - 1))};
}

/* ---- Huffman codes ---- */
typedef struct {
    uint8_t length[288];
    uint16_t code[288]; /* bit-reversed, as it goes into the stream */
} huffman;

/* Lengths and codes of the `count` symbols (at most 288); those that do not occur get length 0. */
void huffman_build(huffman *made, const uint32_t *frequency, unsigned count, unsigned longest);

/* The fixed codes of RFC 1951. */
void huffman_fixed(huffman *literals, huffman *distances);

uint64_t huffman_bits(const huffman *codes, const uint32_t *frequency, unsigned count);

/* The beginning of a dynamic block, and its size in bits. */
typedef struct {
    unsigned literals, distances, lengths;
    unsigned symbols;
    uint8_t symbol[LITERAL_CODES + DISTANCE_CODES];
    uint8_t repeat[LITERAL_CODES + DISTANCE_CODES]; /* extra bits of 16, 17, 18 */
    huffman codes;
    uint32_t bits;
} block_header;

void header_build(block_header *made, const huffman *literals, unsigned literal_count, const huffman *distances,
                  unsigned distance_count);

/* ---- Output ---- */
typedef struct {
    uint64_t bits; /* not yet whole bytes */
    unsigned count;
    uint32_t size;
    bool overflow;
} bit_state;

typedef struct {
    bit_state state;
    uint32_t taken;
    uint8_t data[OUTPUT_SIZE];
} output;

/* Append the lowest `count` bits, at most 48, of `bits`. Loops keep the state in a variable of their own, since a store
 * into `data` could change any other. */
static inline void add_bits(bit_state *state, uint8_t *data, uint64_t bits, unsigned count)
{
    state->bits |= bits << state->count;
    state->count += count;
    if (state->size + 8 > OUTPUT_SIZE) {
        state->overflow = true;
        state->size = 0;
    }
    store64(data + state->size, state->bits);
    state->size += state->count / 8;
    state->bits >>= state->count & ~7u;
    state->count &= 7;
}

static inline void put_bits(output *out, uint64_t bits, unsigned count)
{
    add_bits(&out->state, out->data, bits, count);
}

/* Zero bits up to the next byte. */
static inline void put_padding(output *out) { put_bits(out, 0, (8 - out->state.count) & 7); }

void put_bytes(output *out, const uint8_t *data, uint32_t size);
void put_stored(output *out, const uint8_t *data, uint32_t size, bool is_final);
void put_header(output *out, const block_header *header);
void put_literals(output *out, const uint8_t *data, uint32_t size, const huffman *literals);
void put_tokens(output *out, const token *tokens, uint32_t count, const huffman *literals, const huffman *distances);

/* ---- Counts of one block ---- */
typedef struct {
    uint32_t literal[LITERAL_CODES];
    uint32_t distance[DISTANCE_CODES]; /* as it happened: all 0 without a match */
    uint32_t matches;
    uint64_t extra_bits;
} block_counts;

/* Everything but the end of the block. */
void count_tokens(block_counts *counts, const token *tokens, uint32_t count);

/* The number of codes up to the last that occurs, but not less than `least`. */
unsigned codes_used(const uint32_t *frequency, unsigned count, unsigned least);

/* ---- Encoders ---- */
enum { CHAIN_BITS = 17, FAST_TABLE = 1 << 14, KP_TABLE = 1 << 15 };

typedef struct recode_context context;

/* A codec: the functions that make a stream, and what they are told. */
typedef struct {
    const char *name;
    /* Take one step; false if more input is needed, or none is left. A step writes one block at the most. */
    bool (*step)(context *);
    /* After the last step of the last input: the end of the stream. */
    void (*end)(context *);
    const uint8_t *gzip_header;
    /* compress/gzip of Go up to 1.26 */
    uint32_t lazy, nice, chain;
    /* klauspost */
    uint32_t (*find)(context *, uint32_t from, uint32_t to);
    bool is_piecewise;
    bool counts_owed_end;    /* 1.18.2 and later */
    bool sends_all_codes;    /* up to 1.18.0 */
    bool fused_multiply_add; /* the encoder ran on arm64 */
} codec;

enum table_mode { MODE_NONE, MODE_FULL, MODE_LITERALS };

struct recode_context {
    const codec *codec;
    bool is_complete; /* no more input will come */
    bool is_ended;    /* the trailer was written */
    uint64_t total;   /* bytes of input */
    uint32_t crc;

    uint32_t end;      /* of the window's content */
    uint32_t position; /* next to be looked at; what follows is unread */
    uint32_t block;    /* start of the current block, or 0 if it is further away than a stored block can be */

    /* Go's default level */
    uint32_t window_start;
    uint32_t held_length, held_distance;
    bool is_pending;

    /* klauspost */
    uint32_t base;       /* start of the stream or of its dictionary */
    uint32_t piece_left; /* bytes up to the end of the piece */
    enum table_mode mode;
    huffman open_literals, open_distances;
    uint32_t open_header_bits;

    huffman fixed_literals, fixed_distances;
    uint32_t token_count;
    token tokens[TOKENS_MOST];
    /* Positions by hash: chains and heads, or one, or short, current and previous. */
    union {
        struct {
            uint32_t head[1 << CHAIN_BITS];
            uint32_t previous[WINDOW_STEP];
        } chains;
        uint32_t fast[FAST_TABLE];
        struct {
            uint32_t short_hash[KP_TABLE];
            uint32_t long_hash[KP_TABLE][2];
        } two;
        uint32_t one[KP_TABLE];
        uint32_t all[(1 << CHAIN_BITS) + WINDOW_STEP];
    } table;
    uint32_t crc_table[8][256];
    output out;
    uint8_t data[WINDOW_SIZE];
};

bool go_lazy_step(context *);
bool go_fast_step(context *);
void go_end(context *);

bool kp_step(context *);
void kp_end(context *);
uint32_t kp_find_level5(context *, uint32_t from, uint32_t to);
uint32_t go127_find_level6(context *, uint32_t from, uint32_t to);
uint32_t go127_find_level1(context *, uint32_t from, uint32_t to);

/* Block writers of Go up to 1.26. `from` is 0 where the block is too long to be stored. */
void go_write_best(context *, const token *tokens, uint32_t count, uint32_t from, uint32_t to);
void go_write_dynamic(context *, const token *tokens, uint32_t count, uint32_t from, uint32_t to);
void go_write_literals(context *, uint32_t from, uint32_t to);

/* Block writers of the klauspost family. */
void kp_write_stored(context *, uint32_t from, uint32_t to);
void kp_write_literals(context *, uint32_t from, uint32_t to, bool is_last);
void kp_write_tokens(context *, const token *tokens, uint32_t count, uint32_t from, uint32_t to, bool is_last);
void kp_close(context *);

#endif
