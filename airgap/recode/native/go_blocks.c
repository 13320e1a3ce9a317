/* SPDX-License-Identifier: Apache-2.0
 *
 * How compress/flate of Go up to 1.26 writes a block: which of stored, fixed and dynamic it takes. Nothing is kept from
 * one block to the next.
 */
#include "core.h"

static uint64_t stored_bits(uint32_t size) { return 8 * ((uint64_t)size + 5); }

typedef struct {
    block_counts counts;
    huffman literals, distances;
    block_header header;
    uint64_t fixed_bits, dynamic_bits; /* without extra bits */
} block_plan;

static void plan_block(context *c, block_plan *plan)
{
    block_counts *counts = &plan->counts;
    counts->literal[END_OF_BLOCK] = 1;
    if (counts->matches == 0)
        counts->distance[0] = 1; /* a block must have one distance code; it counts as if it were used */
    huffman_build(&plan->literals, counts->literal, LITERAL_CODES, 15);
    huffman_build(&plan->distances, counts->distance, DISTANCE_CODES, 15);
    header_build(&plan->header, &plan->literals, codes_used(counts->literal, LITERAL_CODES, 257), &plan->distances,
                 codes_used(counts->distance, DISTANCE_CODES, 1));
    plan->fixed_bits = 3 + huffman_bits(&c->fixed_literals, counts->literal, LITERAL_CODES) +
                       huffman_bits(&c->fixed_distances, counts->distance, DISTANCE_CODES);
    plan->dynamic_bits = plan->header.bits + huffman_bits(&plan->literals, counts->literal, LITERAL_CODES) +
                         huffman_bits(&plan->distances, counts->distance, DISTANCE_CODES);
}

static void put_end_of_block(output *out, const huffman *literals)
{
    put_bits(out, literals->code[END_OF_BLOCK], literals->length[END_OF_BLOCK]);
}

/* The default level: the smallest of all three. `from` is 0 if the block is too long to be stored. */
void go_write_best(context *c, const token *tokens, uint32_t count, uint32_t from, uint32_t to)
{
    block_plan plan;
    count_tokens(&plan.counts, tokens, count);
    plan_block(c, &plan);
    bool is_dynamic = plan.dynamic_bits < plan.fixed_bits;
    uint64_t size = (is_dynamic ? plan.dynamic_bits : plan.fixed_bits) + plan.counts.extra_bits;
    if (from != 0 && to - from <= STORED_MOST && stored_bits(to - from) < size) {
        put_stored(&c->out, c->data + from, to - from, false);
        return;
    }
    if (is_dynamic)
        put_header(&c->out, &plan.header);
    else
        put_bits(&c->out, 1 << 1, 3);
    const huffman *literals = is_dynamic ? &plan.literals : &c->fixed_literals;
    put_tokens(&c->out, tokens, count, literals, is_dynamic ? &plan.distances : &c->fixed_distances);
    put_end_of_block(&c->out, literals);
}

/* BestSpeed: stored, if dynamic saves less than a sixteenth; extra bits are not counted. */
static bool is_better_stored(const block_plan *plan, uint32_t size)
{
    return stored_bits(size) < plan->dynamic_bits + (plan->dynamic_bits >> 4);
}

void go_write_dynamic(context *c, const token *tokens, uint32_t count, uint32_t from, uint32_t to)
{
    block_plan plan;
    count_tokens(&plan.counts, tokens, count);
    plan_block(c, &plan);
    if (is_better_stored(&plan, to - from)) {
        put_stored(&c->out, c->data + from, to - from, false);
        return;
    }
    put_header(&c->out, &plan.header);
    put_tokens(&c->out, tokens, count, &plan.literals, &plan.distances);
    put_end_of_block(&c->out, &plan.literals);
}

void go_write_literals(context *c, uint32_t from, uint32_t to)
{
    block_plan plan = {0};
    for (uint32_t p = from; p < to; p++)
        plan.counts.literal[c->data[p]]++;
    plan_block(c, &plan);
    if (is_better_stored(&plan, to - from)) {
        put_stored(&c->out, c->data + from, to - from, false);
        return;
    }
    put_header(&c->out, &plan.header);
    put_literals(&c->out, c->data + from, to - from, &plan.literals);
    put_end_of_block(&c->out, &plan.literals);
}

/* An empty stored block is the last one. */
void go_end(context *c) { put_stored(&c->out, c->data, 0, true); }
