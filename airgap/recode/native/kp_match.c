/* SPDX-License-Identifier: Apache-2.0
 *
 * The match finders over sub-blocks: klauspost/compress level 5, and levels 6 and 1 of Go from 1.27 on. Each leaves the
 * tokens of a sub-block in the context and returns how many matches they hold. Which positions enter a table, and in
 * which order, decides about the bytes of the stream.
 */
#include "core.h"

enum { MARGIN = 11, NEAR = 32768, GO127_FAST_DISTANCE = 32768 };

/* One sub-block while matches are looked for. */
typedef struct {
    context *c;
    const uint8_t *data;
    uint32_t from, to, limit;
    uint32_t unwritten; /* what comes before has its tokens */
    uint32_t matches;
} finder;

static inline finder start(context *c, uint32_t from, uint32_t to)
{
    c->token_count = 0;
    return (finder){c, c->data, from, to, to - MARGIN, from, 0};
}

static inline bool equal4(const finder *f, uint32_t a, uint32_t b)
{
    return load32(f->data + a) == load32(f->data + b);
}

/* q is a position that p may be matched with. */
static inline bool is_near(uint32_t q, uint32_t p) { return q != 0 && p - q < NEAR; }

static inline bool fits(const finder *f, uint32_t q, uint32_t p) { return is_near(q, p) && equal4(f, q, p); }

/* Equal bytes at p and q, up to one token's length. */
static inline uint32_t token_match(const finder *f, uint32_t p, uint32_t q)
{
    uint32_t most = f->to - p < MATCH_MOST ? f->to - p : MATCH_MOST;
    return common_length(f->data + q, f->data + p, most);
}

/* And up to the end of the sub-block. */
static inline uint32_t whole_match(const finder *f, uint32_t p, uint32_t q)
{
    return common_length(f->data + q, f->data + p, f->to - p);
}

static void add_literals(finder *f, uint32_t to)
{
    while (f->unwritten < to)
        f->c->tokens[f->c->token_count++] = f->data[f->unwritten++];
}

/* Extend the match backwards, of which *length tells, and append it with the literals before it, in tokens of 258 bytes
 * and a rest of at least 4. Return the position behind it. */
static uint32_t add_match(finder *f, uint32_t p, uint32_t q, uint32_t *length)
{
    while (q > f->c->base && p > f->unwritten && f->data[q - 1] == f->data[p - 1]) {
        p--;
        q--;
        ++*length;
    }
    add_literals(f, p);
    for (uint32_t left = *length, part; left > 0; left -= part) {
        part = left <= MATCH_MOST ? left : left > MATCH_MOST + 3 ? MATCH_MOST : MATCH_MOST - 3;
        f->c->tokens[f->c->token_count++] = match_token(part, p - q);
        f->matches++;
    }
    f->unwritten = p + *length;
    return f->unwritten;
}

/* The rest of the sub-block are literals; a sub-block without a match needs none. */
static uint32_t finish(finder *f)
{
    if (f->matches > 0)
        add_literals(f, f->to);
    return f->matches;
}

/* ---- Two tables: four bytes, and seven bytes with two positions each ---- */

static inline uint32_t *short_slot(const finder *f, uint32_t p)
{
    return &f->c->table.two.short_hash[load32(f->data + p) * 2654435761u >> 17];
}

static inline uint32_t *long_slot(const finder *f, uint32_t p)
{
    return f->c->table.two.long_hash[(load64(f->data + p) << 8) * 58295818150454627u >> 49];
}

static inline void put_long(uint32_t *slot, uint32_t p)
{
    slot[1] = slot[0];
    slot[0] = p;
}

static inline void insert_short(const finder *f, uint32_t p) { *short_slot(f, p) = p; }
static inline void insert_long(const finder *f, uint32_t p) { put_long(long_slot(f, p), p); }

static inline void insert_both(const finder *f, uint32_t p)
{
    insert_short(f, p);
    insert_long(f, p);
}

/* What a scan has found: a match at p with q; `next` is where the scan would have gone on. p is 0 if there is none. */
typedef struct {
    uint32_t p, q, next;
} found;

/* At p a match of four bytes with q; take one at the next position if it is longer. `repeat` is the last distance, or 0
 * if that is not tried. */
static found compare_next(const finder *f, uint32_t p, uint32_t q, uint32_t next, uint32_t repeat)
{
    uint32_t length = token_match(f, p, q), *slot = long_slot(f, next), current = slot[0], previous = slot[1], other;
    insert_both(f, next);
    if (repeat != 0 && equal4(f, p + 1 - repeat, p + 1) && token_match(f, p + 1, p + 1 - repeat) > length)
        return (found){p + 1, p + 1 - repeat, next};
    found best = {p, q, next};
    if (!is_near(current, next))
        return best;
    if (equal4(f, current, next) && (other = token_match(f, next, current)) > length) {
        best.p = next;
        best.q = current;
        if (repeat == 0)
            return best;
        length = other;
    }
    if (fits(f, previous, next) && token_match(f, next, previous) > length) {
        best.p = next;
        best.q = previous;
    }
    return best;
}

static found scan(const finder *f, uint32_t p, unsigned skip_shift, uint32_t repeat)
{
    for (uint32_t next = p;;) {
        p = next;
        next = p + 1 + ((p - f->unwritten) >> skip_shift);
        if (next > f->limit)
            return (found){0};
        uint32_t *at = short_slot(f, p), *slot = long_slot(f, p), q = *at, current = slot[0], previous = slot[1];
        *at = p;
        put_long(slot, p);
        if (is_near(current, p)) {
            bool is_current = equal4(f, current, p), is_previous = fits(f, previous, p);
            if (is_current || is_previous) {
                insert_both(f, next);
                if (is_current && is_previous)
                    is_current = token_match(f, p, previous) <= token_match(f, p, current);
                return (found){p, is_current ? current : previous, next};
            }
        }
        if (fits(f, q, p))
            return compare_next(f, p, q, next, repeat);
    }
}

/* Take the match that begins two bytes further on and was found by its end, if it is longer. `entry` is the position
 * of the same bytes as those behind the match of `length`. */
static void try_end(const finder *f, found *best, uint32_t p, uint32_t entry, uint32_t end_length, uint32_t *length)
{
    int64_t q = (int64_t)entry - end_length + 2;
    if (entry == 0 || q < (int64_t)f->c->base || q <= 0 || q >= (int64_t)p || (int64_t)p - q >= NEAR)
        return;
    uint32_t other = whole_match(f, p, (uint32_t)q);
    if (other > *length) {
        *length = other;
        best->p = p;
        best->q = (uint32_t)q;
    }
}

/* Where the scan goes on behind a match that ended at `end`. */
static inline uint32_t behind(uint32_t end, uint32_t next) { return next >= end ? next + 1 : end; }

uint32_t kp_find_level5(context *c, uint32_t from, uint32_t to)
{
    finder f = start(c, from, to);
    for (uint32_t p = from;;) {
        found best = scan(&f, p, 6, 0);
        if (best.p == 0)
            break;
        uint32_t length = whole_match(&f, best.p, best.q);
        if (length < 30 && best.p + length < f.limit)
            try_end(&f, &best, best.p + 2, long_slot(&f, best.p + length)[0], length, &length);
        uint32_t end = add_match(&f, best.p, best.q, &length);
        p = behind(end, best.next);
        if (p >= f.limit)
            break;
        uint32_t i = p - length + 1;
        insert_both(&f, i);
        insert_long(&f, i + 1);
        insert_short(&f, i + 2);
        for (i += 4; i < p - 1; i += 3) {
            insert_long(&f, i);
            insert_short(&f, i + 1);
        }
        insert_both(&f, p - 1);
    }
    return finish(&f);
}

uint32_t go127_find_level6(context *c, uint32_t from, uint32_t to)
{
    finder f = start(c, from, to);
    uint32_t repeat = 1;
    for (uint32_t p = from;;) {
        found best = scan(&f, p, 7, repeat);
        if (best.p == 0)
            break;
        uint32_t length = whole_match(&f, best.p, best.q);
        if (best.p + length < f.limit) {
            const uint32_t *entry = long_slot(&f, best.p + length), later = best.p + 2;
            if (entry[0] != 0 && (int64_t)later - ((int64_t)entry[0] - length + 2) < NEAR) {
                try_end(&f, &best, later, entry[0], length, &length);
                try_end(&f, &best, later, entry[1], length, &length);
            }
        }
        repeat = best.p - best.q;
        p = behind(add_match(&f, best.p, best.q, &length), best.next);
        if (p >= f.limit) {
            for (uint32_t i = best.next + 1; i < to - 8; i += 2)
                insert_both(&f, i);
            break;
        }
        for (uint32_t i = best.next + 1; i < p - 1; i += 2) {
            insert_both(&f, i);
            insert_long(&f, i + 1);
        }
    }
    return finish(&f);
}

/* ---- One table: five bytes ---- */

static inline uint32_t *slot5(const finder *f, uint32_t p)
{
    return &f->c->table.one[(load64(f->data + p) << 24) * 889523592379u >> 49];
}

/* Put `value` where p belongs; return what was there. */
static inline uint32_t exchange(const finder *f, uint32_t p, uint32_t value)
{
    uint32_t *slot = slot5(f, p), before = *slot;
    *slot = value;
    return before;
}

static found scan_fast(const finder *f, uint32_t p)
{
    for (;;) {
        uint32_t next = p + 2 + ((p - f->unwritten) >> 5), q;
        if (next > f->limit)
            return (found){0};
        if (q = exchange(f, p, p), fits(f, q, p)) {
            *slot5(f, next) = next;
            return (found){p, q, next};
        }
        p = next++;
        if (q = exchange(f, p, p), fits(f, q, p)) {
            *slot5(f, p) = p + 1; /* the original writes this one, not p */
            return (found){p, q, next};
        }
        p = next;
    }
}

uint32_t go127_find_level1(context *c, uint32_t from, uint32_t to)
{
    finder f = start(c, from, to);
    uint32_t p = from, q;
    for (found best; (best = scan_fast(&f, p)).p != 0; p++) {
        p = best.p;
        q = best.q;
        do {
            uint32_t length = whole_match(&f, p, q);
            p = behind(add_match(&f, p, q, &length), best.next);
            if (p >= f.limit)
                return finish(&f);
            *slot5(&f, p - 2) = p - 2;
            q = exchange(&f, p, p);
        } while (q != 0 && p - q <= GO127_FAST_DISTANCE && equal4(&f, q, p));
    }
    return finish(&f);
}
