/* SPDX-License-Identifier: Apache-2.0
 *
 * How klauspost/compress, and Go from 1.27 on, write a sub-block. A dynamic block may stay open over several of them:
 * then its codes are used again where new ones would not be shorter, and its end is owed.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core.h"

/* The estimate below is exact only if every operation is rounded to a float by itself. */
_Static_assert(FLT_EVAL_METHOD == 0, "floats must not be computed in a higher precision");

enum { FEW_TOKENS = 250, OWED_END_BITS = 7 };

static uint64_t stored_bits(uint32_t size) { return 8 * ((uint64_t)size + 5); }

void kp_close(context *c)
{
    if (c->mode != MODE_NONE)
        put_bits(&c->out, c->open_literals.code[END_OF_BLOCK], c->open_literals.length[END_OF_BLOCK]);
    c->mode = MODE_NONE;
}

void kp_write_stored(context *c, uint32_t from, uint32_t to)
{
    kp_close(c);
    put_stored(&c->out, c->data + from, to - from, false);
}

static void open_block(context *c, const block_header *header, enum table_mode mode)
{
    put_header(&c->out, header);
    c->open_header_bits = header->bits;
    c->mode = mode;
}

/* Bytes that are about as frequent as each other: the statistic stays below what random bytes have. */
static bool looks_random(const uint32_t *histogram, uint32_t size)
{
    uint64_t sum = 0;
    for (unsigned b = 0; b < 256; b++) {
        int64_t deviation = 256 * (int64_t)histogram[b] - (int64_t)size;
        sum += (uint64_t)(deviation * deviation);
    }
    return size > 1024 && sum < 131072 * (uint64_t)size;
}

void kp_write_literals(context *c, uint32_t from, uint32_t to, bool is_last)
{
    uint32_t size = to - from, frequency[END_OF_BLOCK + 1] = {0};
    for (uint32_t p = from; p < to; p++)
        frequency[c->data[p]]++;
    frequency[END_OF_BLOCK] = 1;
    huffman literals;
    huffman_build(&literals, frequency, END_OF_BLOCK + 1, 15);
    uint64_t estimate = huffman_bits(&literals, frequency, END_OF_BLOCK + 1);
    estimate += c->mode != MODE_NONE ? c->open_header_bits : 70 * 8;
    estimate += estimate >> 7;
    if (looks_random(frequency, size) || stored_bits(size) <= estimate) {
        kp_write_stored(c, from, to);
        return;
    }
    if (c->mode != MODE_NONE) {
        uint64_t again = 0;
        for (unsigned b = 0; b < 256; b++)
            again += frequency[b] && !c->open_literals.length[b] ? UINT32_MAX
                                                                 : (uint64_t)frequency[b] * c->open_literals.length[b];
        if (estimate < again)
            kp_close(c);
    }
    if (c->mode == MODE_NONE) {
        block_header header;
        huffman distances = {.length = {1}};
        header_build(&header, &literals, END_OF_BLOCK + 1, &distances, 1);
        c->open_literals = literals;
        c->open_distances = distances;
        open_block(c, &header, MODE_LITERALS);
    }
    put_literals(&c->out, c->data + from, size, &c->open_literals);
    if (is_last)
        kp_close(c);
}

/* An approximation of log2 by a parabola, of which every rounding counts. */
static float rough_log2(float x, bool is_fused)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    float exponent = (float)((int)(bits >> 23 & 255) - 128), mantissa;
    bits = (bits & 0x807fffffu) + (127u << 23);
    memcpy(&mantissa, &bits, sizeof mantissa);
    const float square = -0.34484843f, linear = 2.02466578f, constant = 0.67487759f;
    if (is_fused)
        return exponent + fmaf(fmaf(square, mantissa, linear), mantissa, -constant);
    float sum = square * mantissa;
    sum = sum + linear;
    sum = sum * mantissa;
    sum = sum - constant;
    return exponent + sum;
}

static float add_estimate(float sum, uint32_t frequency, float inverse, bool is_fused)
{
    float v = (float)frequency, bits = -rough_log2(v * inverse, is_fused);
    bits = bits < 1.0f ? 1.0f : bits > 15.0f ? 15.0f : bits;
    if (is_fused)
        return fmaf(bits, v, sum);
    float product = bits * v;
    return sum + product;
}

/* What codes of its own would take for these tokens, in bits, without their header. */
static uint64_t estimated_bits(const context *c, const block_counts *counts, uint32_t total)
{
    bool is_fused = c->codec->fused_multiply_add;
    float sum = 0, inverse = 1.0f / (float)total;
    for (unsigned s = 0; s < LITERAL_CODES; s++) {
        if (s == END_OF_BLOCK)
            sum = sum + 15.0f;
        else if (counts->literal[s] != 0)
            sum = add_estimate(sum, counts->literal[s], inverse, is_fused);
    }
    if (counts->matches != 0) {
        inverse = 1.0f / (float)counts->matches;
        for (unsigned s = 0; s < DISTANCE_CODES; s++)
            if (counts->distance[s] != 0)
                sum = add_estimate(sum, counts->distance[s], inverse, is_fused);
    }
    return (uint64_t)sum + counts->extra_bits;
}

/* The open block has a code for each symbol. */
static bool has_codes(const context *c, const block_counts *counts)
{
    for (unsigned s = 0; s < LITERAL_CODES; s++)
        if (counts->literal[s] != 0 && c->open_literals.length[s] == 0)
            return false;
    for (unsigned s = 0; s < DISTANCE_CODES; s++)
        if (counts->distance[s] != 0 && c->open_distances.length[s] == 0)
            return false;
    return true;
}

static uint64_t counted_bits(const huffman *literals, const huffman *distances, const block_counts *counts)
{
    return huffman_bits(literals, counts->literal, LITERAL_CODES) +
           huffman_bits(distances, counts->distance, DISTANCE_CODES) + counts->extra_bits;
}

static void write_fixed(context *c, const token *tokens, uint32_t count)
{
    kp_close(c);
    put_bits(&c->out, 1 << 1, 3);
    put_tokens(&c->out, tokens, count, &c->fixed_literals, &c->fixed_distances);
    put_bits(&c->out, c->fixed_literals.code[END_OF_BLOCK], c->fixed_literals.length[END_OF_BLOCK]);
}

/* `tokens` hold at least one match. Everywhere here a stored block wins where the sizes are equal. */
void kp_write_tokens(context *c, const token *tokens, uint32_t count, uint32_t from, uint32_t to, bool is_last)
{
    block_counts counts;
    count_tokens(&counts, tokens, count);
    uint32_t total = is_last ? count + 1 : count;
    uint64_t stored = stored_bits(to - from);
    counts.literal[END_OF_BLOCK] = is_last || c->codec->counts_owed_end;
    uint64_t fixed = 3 + counted_bits(&c->fixed_literals, &c->fixed_distances, &counts);
    if (c->mode == MODE_LITERALS || (c->mode == MODE_FULL && !has_codes(c, &counts)))
        kp_close(c);
    if (c->mode == MODE_FULL) {
        uint64_t anew = c->open_header_bits + estimated_bits(c, &counts, total);
        anew += c->open_literals.length[END_OF_BLOCK] + (anew >> 7);
        uint64_t size = counted_bits(&c->open_literals, &c->open_distances, &counts);
        if (anew < size) {
            kp_close(c);
            size = anew;
        }
        bool is_fixed_better = total < FEW_TOKENS && fixed + OWED_END_BITS < size;
        if (stored <= size) {
            kp_write_stored(c, from, to);
            return;
        }
        if (is_fixed_better) {
            write_fixed(c, tokens, count);
            return;
        }
    }
    if (c->mode == MODE_NONE) {
        huffman literals, distances;
        block_header header;
        bool sends_all = c->codec->sends_all_codes && !is_last;
        counts.literal[END_OF_BLOCK] = 1;
        huffman_build(&literals, counts.literal, LITERAL_CODES, 15);
        huffman_build(&distances, counts.distance, DISTANCE_CODES, 15);
        header_build(&header, &literals, sends_all ? LITERAL_CODES : codes_used(counts.literal, LITERAL_CODES, 257),
                     &distances, sends_all ? DISTANCE_CODES : codes_used(counts.distance, DISTANCE_CODES, 1));
        uint64_t size = header.bits + counted_bits(&literals, &distances, &counts);
        bool is_fixed = total < FEW_TOKENS && fixed <= size;
        if (stored <= (is_fixed ? fixed : size)) {
            kp_write_stored(c, from, to);
            return;
        }
        if (is_fixed) {
            write_fixed(c, tokens, count);
            return;
        }
        c->open_literals = literals;
        c->open_distances = distances;
        open_block(c, &header, MODE_FULL);
    }
    put_tokens(&c->out, tokens, count, &c->open_literals, &c->open_distances);
    if (is_last)
        kp_close(c);
}
