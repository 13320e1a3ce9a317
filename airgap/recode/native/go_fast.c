/* SPDX-License-Identifier: Apache-2.0
 *
 * compress/flate of Go up to 1.26, BestSpeed: blocks of 65535 bytes, one position for each hash, and longer and longer
 * steps where nothing matches.
 */
#include "core.h"

enum { MARGIN = 15, DISTANCE_MOST = 32768 };

static inline uint32_t *slot(context *c, uint32_t p) { return &c->table.fast[load32(c->data + p) * 0x1e35a7bdu >> 18]; }

/* Put p into its slot; return what was there if p may be matched with it, or 0. */
static inline uint32_t exchange(context *c, uint32_t p)
{
    uint32_t *at = slot(c, p), q = *at;
    *at = p;
    return q != 0 && p - q <= DISTANCE_MOST && load32(c->data + q) == load32(c->data + p) ? q : 0;
}

static void add_literals(context *c, uint32_t from, uint32_t to)
{
    while (from < to)
        c->tokens[c->token_count++] = c->data[from++];
}

/* Scan on from p; the position of the next match, whose partner is *q, or 0 if the block has none any more. */
static uint32_t scan(context *c, uint32_t p, uint32_t limit, uint32_t *q)
{
    uint32_t skip = 32, next = p;
    do {
        p = next;
        next = p + (skip >> 5);
        skip += skip >> 5;
        if (next > limit)
            return 0;
        *q = exchange(c, p);
    } while (*q == 0);
    return p;
}

static void find(context *c, uint32_t from, uint32_t to)
{
    uint32_t limit = to - MARGIN, unwritten = from, p = from, q;
    c->token_count = 0;
    while ((p = scan(c, p, limit, &q)) != 0) {
        add_literals(c, unwritten, p);
        do {
            uint32_t most = to - p < MATCH_MOST ? to - p : MATCH_MOST;
            uint32_t length = common_length(c->data + q, c->data + p, most);
            c->tokens[c->token_count++] = match_token(length, p - q);
            p += length;
            unwritten = p;
            if (p >= limit)
                goto end;
            *slot(c, p - 1) = p - 1;
            q = exchange(c, p);
        } while (q != 0);
        p++;
    }
end:
    add_literals(c, unwritten, to);
}

bool go_fast_step(context *c)
{
    uint32_t from = c->position, size = c->end - from;
    if (size >= STORED_MOST)
        size = STORED_MOST;
    else if (!c->is_complete || size == 0)
        return false;
    uint32_t to = from + size;
    c->position = to;
    if (size <= 16) {
        put_stored(&c->out, c->data + from, size, false);
        return true;
    }
    if (size >= 128) {
        find(c, from, to);
        if (c->token_count <= size - (size >> 4)) {
            go_write_dynamic(c, c->tokens, c->token_count, from, to);
            return true;
        }
    }
    go_write_literals(c, from, to);
    return true;
}
