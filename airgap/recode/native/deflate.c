/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of DEFLATE that all encoders write alike: stored blocks, literals, tokens; and how often symbols occur.
 */
#include <string.h>

#include "core.h"

void put_bytes(output *out, const uint8_t *data, uint32_t size)
{
    if ((uint64_t)out->state.size + size + 8 > OUTPUT_SIZE) {
        out->state.overflow = true;
        return;
    }
    memcpy(out->data + out->state.size, data, size);
    out->state.size += size;
}

void put_stored(output *out, const uint8_t *data, uint32_t size, bool is_final)
{
    put_bits(out, is_final, 3);
    put_padding(out);
    put_bits(out, size | (uint64_t)(~size & 0xffff) << 16, 32);
    put_bytes(out, data, size);
}

void put_literals(output *out, const uint8_t *data, uint32_t size, const huffman *literals)
{
    bit_state state = out->state;
    for (uint32_t i = 0; i < size; i++)
        add_bits(&state, out->data, literals->code[data[i]], literals->length[data[i]]);
    out->state = state;
}

void put_tokens(output *out, const token *tokens, uint32_t count, const huffman *literals, const huffman *distances)
{
    bit_state state = out->state;
    for (uint32_t i = 0; i < count; i++) {
        token t = tokens[i];
        if (!is_match(t)) {
            add_bits(&state, out->data, literals->code[t], literals->length[t]);
            continue;
        }
        field length = length_field(token_length(t)), distance = distance_field(token_distance(t));
        unsigned size = literals->length[length.symbol];
        uint64_t bits = literals->code[length.symbol];
        bits |= (uint64_t)length.extra << size;
        size += length.extra_size;
        bits |= (uint64_t)distances->code[distance.symbol] << size;
        size += distances->length[distance.symbol];
        bits |= (uint64_t)distance.extra << size;
        add_bits(&state, out->data, bits, size + distance.extra_size);
    }
    out->state = state;
}

void count_tokens(block_counts *counts, const token *tokens, uint32_t count)
{
    memset(counts, 0, sizeof *counts);
    for (uint32_t i = 0; i < count; i++) {
        token t = tokens[i];
        if (!is_match(t)) {
            counts->literal[t]++;
            continue;
        }
        field length = length_field(token_length(t)), distance = distance_field(token_distance(t));
        counts->literal[length.symbol]++;
        counts->distance[distance.symbol]++;
        counts->extra_bits += length.extra_size + distance.extra_size;
        counts->matches++;
    }
}

unsigned codes_used(const uint32_t *frequency, unsigned count, unsigned least)
{
    while (count > least && frequency[count - 1] == 0)
        count--;
    return count;
}
