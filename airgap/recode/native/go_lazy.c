/* SPDX-License-Identifier: Apache-2.0
 *
 * compress/flate of Go up to 1.26, levels 4 to 9: hash chains, and a match gives way to a longer one a byte further on.
 */
#include "core.h"

enum {
    BLOCK_TOKENS = 16384,
    LOOKAHEAD = MATCH_MOST + MATCH_LEAST, /* what a step may read */
    DISTANCE_MOST = 32768,
    NEAR = 4096, /* matches of 4 bytes are taken up to this distance */
    BUFFER = 65536,
    NO_MATCH = 3
};

static inline void insert(context *c, uint32_t p)
{
    uint32_t *head = &c->table.chains.head[load32_big_endian(c->data + p) * 0x1e35a7bdu >> (32 - CHAIN_BITS)];
    c->table.chains.previous[p % WINDOW_STEP] = *head;
    *head = p;
}

/* The longest match at p, which is in its chain already; NO_MATCH if there is none. */
static uint32_t search(const context *c, uint32_t p, uint32_t left, uint32_t *distance)
{
    const uint8_t *here = c->data + p;
    uint32_t most = left < MATCH_MOST ? left : MATCH_MOST;
    uint32_t nice = c->codec->nice < most ? c->codec->nice : most;
    uint32_t first = p > DISTANCE_MOST ? p - DISTANCE_MOST : 0, best = NO_MATCH;
    if (first < c->window_start)
        first = c->window_start;
    uint32_t q = c->table.chains.previous[p % WINDOW_STEP];
    for (uint32_t tries = c->codec->chain; tries > 0 && q >= first && q != 0; tries--) {
        const uint8_t *there = c->data + q;
        if (there[best] == here[best]) {
            uint32_t length = common_length(there, here, most);
            if (length > best && (length > MATCH_LEAST || p - q <= NEAR)) {
                best = length;
                *distance = p - q;
                if (length >= nice)
                    break;
            }
        }
        if (q + DISTANCE_MOST == p)
            break; /* its place in the chain is p's by now */
        q = c->table.chains.previous[q % WINDOW_STEP];
    }
    return best;
}

/* Append a token, which ends before `end`; true if that has filled the block, which was then written. */
static bool add_token(context *c, token t, uint32_t end)
{
    c->tokens[c->token_count++] = t;
    if (c->token_count < BLOCK_TOKENS)
        return false;
    go_write_best(c, c->tokens, c->token_count, c->block, end);
    c->token_count = 0;
    c->block = end;
    return true;
}

bool go_lazy_step(context *c)
{
    while (c->position < c->end && (c->is_complete || c->end - c->position >= LOOKAHEAD)) {
        uint32_t p = c->position, left = c->end - p, length = NO_MATCH, distance = 0;
        /* The original's buffer of 64 KiB moves by half when less than a step's look-ahead is left and more comes. */
        if (p >= c->window_start + BUFFER - LOOKAHEAD + 1 && c->end > c->window_start + BUFFER)
            c->window_start += BUFFER / 2;
        if (left >= MATCH_LEAST) {
            insert(c, p);
            if (c->held_length < c->codec->lazy && left > c->held_length)
                length = search(c, p, left, &distance);
        }
        if (c->held_length >= MATCH_LEAST && length <= c->held_length) {
            uint32_t next = p - 1 + c->held_length;
            for (uint32_t i = p + 1; i < next && i + MATCH_LEAST <= c->end; i++)
                insert(c, i);
            token t = match_token(c->held_length, c->held_distance);
            c->position = next;
            c->is_pending = false;
            c->held_length = NO_MATCH;
            if (add_token(c, t, next))
                return true;
        } else {
            bool was_pending = c->is_pending;
            c->is_pending = true;
            c->held_length = length;
            c->held_distance = distance;
            c->position = p + 1;
            if (was_pending && add_token(c, c->data[p - 1], p))
                return true;
        }
    }
    if (!c->is_complete)
        return false;
    if (c->is_pending) {
        c->is_pending = false;
        if (add_token(c, c->data[c->end - 1], c->end))
            return true;
    }
    if (c->token_count == 0)
        return false;
    go_write_best(c, c->tokens, c->token_count, c->block, c->end);
    c->token_count = 0;
    return true;
}
