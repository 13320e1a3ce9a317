/* SPDX-License-Identifier: Apache-2.0
 *
 * The stream of klauspost/compress, and of Go from 1.27 on: sub-blocks of 65535 bytes. pgzip cuts the input into pieces
 * of 1 MiB, each a stream that begins with a dictionary, the 16 KiB before it, and ends with a marker.
 */
#include <string.h>

#include "core.h"

enum { SUB_BLOCK = 65535, PIECE = 1 << 20, DICTIONARY = 1 << 14, SHORT_STORED = 32, SHORT_LITERALS = 128 };

static void write_sub_block(context *c, uint32_t from, uint32_t to, bool is_last)
{
    uint32_t size = to - from;
    if (size <= SHORT_STORED) {
        kp_write_stored(c, from, to);
    } else if (size < SHORT_LITERALS) {
        kp_write_literals(c, from, to, true);
    } else if (c->codec->find(c, from, to) == 0) {
        kp_write_stored(c, from, to);
    } else if (c->token_count > size - (size >> 4)) {
        kp_write_literals(c, from, to, is_last);
    } else {
        kp_write_tokens(c, c->tokens, c->token_count, from, to, is_last);
    }
}

/* The positions of the dictionary enter the tables as if it were a sub-block; its tokens are dropped. */
static void begin_next_piece(context *c)
{
    memset(&c->table.two, 0, sizeof c->table.two);
    c->piece_left = PIECE;
    c->base = c->position - DICTIONARY;
    c->codec->find(c, c->base, c->position);
}

static void end_piece(context *c)
{
    kp_close(c);
    put_stored(&c->out, c->data, 0, false);
}

bool kp_step(context *c)
{
    uint32_t size = c->end - c->position;
    bool is_last = c->is_complete && size <= SUB_BLOCK;
    if (c->codec->is_piecewise && c->piece_left <= SUB_BLOCK && size >= c->piece_left) {
        size = c->piece_left;
        is_last = true;
    } else if (size == 0 || (size <= SUB_BLOCK && !c->is_complete)) {
        return false; /* whether a whole sub-block is the last one, only what follows it tells */
    } else if (size > SUB_BLOCK) {
        size = SUB_BLOCK;
    }
    write_sub_block(c, c->position, c->position + size, is_last);
    c->position += size;
    if (c->codec->is_piecewise) {
        c->piece_left -= size;
        if (c->piece_left == 0) {
            end_piece(c);
            begin_next_piece(c);
        }
    }
    return true;
}

void kp_end(context *c)
{
    if (c->codec->is_piecewise)
        end_piece(c);
    kp_close(c);
    put_bits(&c->out, 3, 3);
    put_bits(&c->out, 0, 7);
    put_padding(&c->out);
}
