/* SPDX-License-Identifier: Apache-2.0
 *
 * Little-endian loads, comparison of strings, and logarithms of integers: what the match finders do all the time.
 */
#ifndef RECODE_BYTES_H
#define RECODE_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint32_t load32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t load64(const uint8_t *p)
{
    return (uint64_t)load32(p) | (uint64_t)load32(p + 4) << 32;
}

static inline void store64(uint8_t *p, uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(p, &value, sizeof value);
#else
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(value >> 8 * i);
#endif
}

static inline uint32_t load32_big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

/* floor(log2(value)), value > 0 */
static inline unsigned log2_floor(uint32_t value)
{
    return 31u - (unsigned)__builtin_clz(value);
}

/* How many bytes of a and b are equal from the beginning, at most `most`. Reads no byte behind that. */
static inline uint32_t common_length(const uint8_t *a, const uint8_t *b, uint32_t most)
{
    uint32_t n = 0;
    while (n + 8 <= most) {
        uint64_t difference = load64(a + n) ^ load64(b + n);
        if (difference != 0)
            return n + (uint32_t)__builtin_ctzll(difference) / 8;
        n += 8;
    }
    while (n < most && a[n] == b[n])
        n++;
    return n;
}

#endif
