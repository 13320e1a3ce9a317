/* SPDX-License-Identifier: Apache-2.0
 *
 * Huffman codes by package-merge, whose ties decide about the bytes of the stream: a package comes before a leaf of the
 * same weight. And the header of a dynamic block.
 */
#include <stdlib.h>
#include <string.h>

#include "core.h"

enum { SYMBOLS_MOST = 288, LONGEST = 15 };

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* How many of the `n` leaves, ascending by weight, each row takes, from the lightest on: `taken[1]` to `taken[rows]`. The
 * length of a leaf is the number of rows that take it. */
static void package_merge(const uint32_t *weight, unsigned n, unsigned rows, unsigned *taken)
{
    /* Only the first 2n − 2 items of a row can ever be taken. */
    uint64_t row[2 * SYMBOLS_MOST], below[2 * SYMBOLS_MOST];
    uint8_t is_leaf[LONGEST + 1][2 * SYMBOLS_MOST];
    unsigned below_size = 0, most = 2 * n - 2;
    for (unsigned r = 1; r <= rows; r++) {
        unsigned size = 0, leaf = 0, package = 0, packages = below_size / 2;
        while (size < most && (leaf < n || package < packages)) {
            uint64_t packed = package < packages ? below[2 * package] + below[2 * package + 1] : UINT64_MAX;
            bool takes_leaf = leaf < n && weight[leaf] < packed;
            row[size] = takes_leaf ? weight[leaf++] : packed;
            package += !takes_leaf;
            is_leaf[r][size++] = takes_leaf;
        }
        memcpy(below, row, size * sizeof *row);
        below_size = size;
    }
    for (unsigned r = rows, items = most; r >= 1; r--) {
        unsigned leaves = 0;
        for (unsigned i = 0; i < items; i++)
            leaves += is_leaf[r][i];
        taken[r] = leaves;
        items = 2 * (items - leaves);
    }
}

static uint16_t reversed(unsigned code, unsigned length)
{
    unsigned made = 0;
    for (unsigned i = 0; i < length; i++)
        made |= (code >> i & 1) << (length - 1 - i);
    return (uint16_t)made;
}

/* The canonical codes of the lengths: RFC 1951, section 3.2.2. */
static void assign_codes(huffman *made, unsigned count)
{
    unsigned with_length[LONGEST + 1] = {0}, next[LONGEST + 2] = {0};
    for (unsigned s = 0; s < count; s++)
        with_length[made->length[s]]++;
    with_length[0] = 0;
    for (unsigned length = 1; length <= LONGEST; length++)
        next[length + 1] = (next[length] + with_length[length]) << 1;
    for (unsigned s = 0; s < count; s++)
        made->code[s] = made->length[s] ? reversed(next[made->length[s]]++, made->length[s]) : 0;
}

void huffman_build(huffman *made, const uint32_t *frequency, unsigned count, unsigned longest)
{
    uint64_t sorted[SYMBOLS_MOST];
    uint32_t weight[SYMBOLS_MOST];
    unsigned n = 0;
    memset(made, 0, sizeof *made);
    for (unsigned s = 0; s < count; s++)
        if (frequency[s] != 0)
            sorted[n++] = (uint64_t)frequency[s] << 16 | s;
    if (n <= 2) {
        for (unsigned i = 0; i < n; i++)
            made->length[sorted[i] & 0xffff] = 1;
        assign_codes(made, count);
        return;
    }
    qsort(sorted, n, sizeof *sorted, by_value);
    for (unsigned i = 0; i < n; i++)
        weight[i] = (uint32_t)(sorted[i] >> 16);
    unsigned rows = longest < n - 1 ? longest : n - 1, taken[LONGEST + 1] = {0};
    package_merge(weight, n, rows, taken);
    for (unsigned r = 1; r <= rows; r++)
        for (unsigned i = 0; i < taken[r]; i++)
            made->length[sorted[i] & 0xffff]++;
    assign_codes(made, count);
}

void huffman_fixed(huffman *literals, huffman *distances)
{
    memset(literals, 0, sizeof *literals);
    memset(distances, 0, sizeof *distances);
    for (unsigned s = 0; s < 288; s++)
        literals->length[s] = s < 144 ? 8 : s < 256 ? 9 : s < 280 ? 7 : 8;
    for (unsigned s = 0; s < 32; s++)
        distances->length[s] = 5;
    assign_codes(literals, 288);
    assign_codes(distances, 32);
}

uint64_t huffman_bits(const huffman *codes, const uint32_t *frequency, unsigned count)
{
    uint64_t bits = 0;
    for (unsigned s = 0; s < count; s++)
        bits += (uint64_t)frequency[s] * codes->length[s];
    return bits;
}

static const uint8_t length_order[LENGTH_CODES] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

static void add_symbol(block_header *made, unsigned symbol, unsigned repeat)
{
    made->symbol[made->symbols] = (uint8_t)symbol;
    made->repeat[made->symbols++] = (uint8_t)repeat;
}

/* A run of equal code lengths: no look-ahead evens out what is left of it. */
static void add_run(block_header *made, unsigned value, unsigned count)
{
    if (value != 0) {
        add_symbol(made, value, 0);
        for (count--; count >= 3;) {
            unsigned repeats = count < 6 ? count : 6;
            add_symbol(made, 16, repeats - 3);
            count -= repeats;
        }
    } else {
        while (count >= 11) {
            unsigned zeros = count < 138 ? count : 138;
            add_symbol(made, 18, zeros - 11);
            count -= zeros;
        }
        if (count >= 3) {
            add_symbol(made, 17, count - 3);
            count = 0;
        }
    }
    while (count-- > 0)
        add_symbol(made, value, 0);
}

static unsigned repeat_bits(unsigned symbol) { return symbol == 16 ? 2 : symbol == 17 ? 3 : symbol == 18 ? 7 : 0; }

void header_build(block_header *made, const huffman *literals, unsigned literal_count, const huffman *distances,
                  unsigned distance_count)
{
    uint8_t lengths[LITERAL_CODES + DISTANCE_CODES];
    unsigned total = literal_count + distance_count;
    uint32_t frequency[LENGTH_CODES] = {0};
    memcpy(lengths, literals->length, literal_count);
    memcpy(lengths + literal_count, distances->length, distance_count);
    made->literals = literal_count;
    made->distances = distance_count;
    made->symbols = 0;
    for (unsigned start = 0, end; start < total; start = end) {
        for (end = start + 1; end < total && lengths[end] == lengths[start];)
            end++;
        add_run(made, lengths[start], end - start);
    }
    for (unsigned i = 0; i < made->symbols; i++)
        frequency[made->symbol[i]]++;
    huffman_build(&made->codes, frequency, LENGTH_CODES, 7);
    made->lengths = LENGTH_CODES;
    while (made->lengths > 4 && frequency[length_order[made->lengths - 1]] == 0)
        made->lengths--;
    made->bits = 17 + 3 * made->lengths + (uint32_t)huffman_bits(&made->codes, frequency, LENGTH_CODES);
    for (unsigned symbol = 16; symbol < LENGTH_CODES; symbol++)
        made->bits += frequency[symbol] * repeat_bits(symbol);
}

void put_header(output *out, const block_header *header)
{
    put_bits(out, 2 << 1, 3); /* dynamic, not final */
    put_bits(out, header->literals - 257, 5);
    put_bits(out, header->distances - 1, 5);
    put_bits(out, header->lengths - 4, 4);
    for (unsigned i = 0; i < header->lengths; i++)
        put_bits(out, header->codes.length[length_order[i]], 3);
    for (unsigned i = 0; i < header->symbols; i++) {
        unsigned symbol = header->symbol[i];
        put_bits(out, header->codes.code[symbol], header->codes.length[symbol]);
        put_bits(out, header->repeat[i], repeat_bits(symbol));
    }
}
